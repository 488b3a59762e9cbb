"""What every strategy promises, over whatever strategies there are."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.contracts import Evaluation, Json, Proposal, Strategy, Trial
from nas.registry import load, names
from nas.seeding import derive, numpy_rng
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import Decision, SearchSpace

# Options under which a strategy begins to learn within a few trials; none: its defaults.
QUICK: dict[str, dict[str, Any]] = {
    "evolution": {"population": 5, "sample": 3},
    "optuna:tpe": {"sampler": "tpe", "n_startup_trials": 4},
    "optuna:random": {"sampler": "random"},
    "optuna:nsgaii": {"sampler": "nsgaii", "population_size": 4},
    "optuna:gp": {"sampler": "gp", "n_startup_trials": 4},
}
SPOKEN = [name for name in names("strategy") if name != "optuna"]
SPOKEN += [spoken for spoken in QUICK if spoken.startswith("optuna:")]
SPACES = ["odd", *(name for name in ("ladder", "nasbench201", "nasnet") if name in names("space"))]
PARTS = [
    pytest.param(spoken, marks=pytest.mark.slow) if spoken == "optuna:gp" else spoken
    for spoken in SPOKEN
]
TRIALS = 24


class Odd(SearchSpace):
    """Seven decisions of unequal size, two of which leave no choice, with options of both types."""

    name = "odd"

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return tuple(
            Decision(
                f"{count} of {index}",
                tuple(range(count)) if index % 2 else tuple(f"op{k}" for k in range(count)),
            )
            for index, count in enumerate((3, 1, 2, 13, 4, 1, 2))
        )

    def decode(self, choices: Sequence[int]) -> Genotype:
        pairs = zip(self.decisions, self.checked(choices), strict=True)
        return Genotype(
            "odd", choices={decision.name: decision.options[choice] for decision, choice in pairs}
        )

    def encode(self, genotype: Genotype) -> tuple[int, ...]:
        assert genotype.choices is not None
        return tuple(
            decision.options.index(genotype.choices[decision.name]) for decision in self.decisions
        )

    def build(self, genotype: Genotype, skeleton: Any, generator: Any = None) -> Any:
        raise NotImplementedError


@functools.cache
def space_called(name: str) -> SearchSpace:
    return Odd() if name == "odd" else load("space", name)()


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return space_called(request.param)


@pytest.fixture(params=PARTS)
def make(request: pytest.FixtureRequest, space: SearchSpace) -> Callable[..., Strategy]:
    """Makes a fresh strategy of one kind on one space, which learns within a few trials."""
    if request.param == "optuna:gp" and space.name == "nasnet":
        pytest.skip("GP is refused on large spaces")
    return functools.partial(fresh, request.param, space)


def fresh(spoken: str, space: SearchSpace, seed: int = 7) -> Strategy:
    part = load("strategy", spoken.partition(":")[0])
    made: Strategy = part(space, seed, **QUICK.get(spoken, {}))
    return made


def score(space: SearchSpace, genotype: Genotype) -> float:
    """Some landscape: the share of decisions that took the last option."""
    choices = space.encode(genotype)
    return sum(c == n - 1 for c, n in zip(choices, space.counts, strict=True)) / len(choices)


def trial(number: int, proposal: Proposal) -> Trial:
    return Trial(number, proposal.genotype, derive(7, "trial", number), proposal.notes)


def told(strategy: Strategy, number: int, proposal: Proposal, score: float) -> None:
    strategy.tell(trial(number, proposal), Evaluation(score, {"extra": [1, None]}, 1.5))


def asked(strategy: Strategy, number: int) -> Proposal:
    proposal = strategy.ask(number)
    assert proposal is not None
    return proposal


def reread(space: SearchSpace, proposal: Proposal) -> Proposal:
    """The proposal as it comes back from a log."""
    return Proposal(
        space.decode(space.encode(proposal.genotype)), json.loads(json.dumps(dict(proposal.notes)))
    )


def same(one: Proposal, other: Proposal) -> bool:
    return one.genotype == other.genotype and dict(one.notes) == dict(other.notes)


Step = tuple[str, int, Proposal, float]


def crowded(
    strategy: Strategy, trials: int = TRIALS, workers: int = 3, seed: int = 0
) -> Iterator[Step]:
    """A study of several workers: numbers with gaps, results out of order, one in six never
    comes."""
    rng = numpy_rng(seed, "crowd")
    flying: list[tuple[int, Proposal]] = []
    number = 0
    for _ in range(trials):
        while len(flying) < workers:
            number += 1 + int(rng.integers(2))
            flying.append((number, asked(strategy, number)))
            yield ("asked", number, flying[-1][1], 0.0)
        place, proposal = flying.pop(int(rng.integers(len(flying))))
        if rng.integers(6):
            result = score(strategy.space, proposal.genotype)
            told(strategy, place, proposal, result)
            yield ("told", place, proposal, result)


def test_there_are_strategies_to_test() -> None:
    assert {"random-search", "evolution", "local-search", "optuna"} <= set(names("strategy"))


def test_asking_changes_nothing(make: Callable[..., Strategy]) -> None:
    """A storm of questions between tells leaves every later proposal as it was."""
    calm, stormy = make(), make()
    for number in range(TRIALS):
        for other in (number + 5, number, 0, 10**6, number):
            stormy.ask(other)
        proposal = asked(calm, number)
        assert same(asked(stormy, number), proposal), number
        for strategy in (calm, stormy):
            told(strategy, number, proposal, score(calm.space, proposal.genotype))


def test_asking_twice_gives_the_same(make: Callable[..., Strategy]) -> None:
    strategy = make()
    for number in range(TRIALS):
        proposal = asked(strategy, number)
        told(strategy, number, proposal, score(strategy.space, proposal.genotype))
        assert same(asked(strategy, number + 1), asked(strategy, number + 1)), number


def test_a_log_is_all_there_is_to_a_strategy(make: Callable[..., Strategy]) -> None:
    """Every proposal of a crowded study follows from the tells before it, as they are read from a
    log."""
    log = list(crowded(make()))
    replayed = make()
    for event, number, proposal, result in log:
        back = reread(replayed.space, proposal)
        if event == "told":
            told(replayed, number, back, result)
        else:
            assert same(asked(replayed, number), back), number


def test_resume_at_any_point_continues_exactly(make: Callable[..., Strategy]) -> None:
    """Killed after k results and told them again, a strategy goes on as the one that lived."""
    log = [step for step in crowded(make()) if step[0] == "told"]
    alive = make()
    for count, (_, number, proposal, result) in enumerate(log):
        told(alive, number, proposal, result)
        if count % 5 == 4:
            resumed = make()
            for _, past, drawn, mark in log[: count + 1]:
                told(resumed, past, reread(alive.space, drawn), mark)
            assert same(asked(resumed, number + 9), asked(alive, number + 9)), count


@pytest.mark.parametrize("spoken", PARTS)
@settings(deadline=None, max_examples=10, derandomize=True)
@given(data=st.data())
def test_any_order_of_tells_is_survived(spoken: str, data: st.DataObject) -> None:
    """Results arrive in any order, some never: proposals stay in the space and follow from the
    tells."""
    space = space_called("odd")
    author, one, other = (fresh(spoken, space) for _ in range(3))
    proposals = {number: asked(author, number) for number in range(12)}
    order = data.draw(st.permutations(list(proposals)))[: data.draw(st.integers(0, 12))]
    scores = data.draw(
        st.lists(st.sampled_from([-1e300, -1.0, 0.0, 0.5, 0.5, 1e300]), min_size=12, max_size=12)
    )
    for number in order:
        for strategy in (one, other):
            told(strategy, number, proposals[number], scores[number])
    for number in (12, 13, 400):
        proposal = asked(one, number)
        assert same(proposal, asked(other, number))
        assert space.decode(space.encode(proposal.genotype)) == proposal.genotype


def test_proposals_lie_in_the_space(make: Callable[..., Strategy]) -> None:
    strategy = make()
    for event, _, proposal, _ in crowded(strategy):
        if event == "asked":
            choices = strategy.space.encode(proposal.genotype)
            assert all(
                0 <= choice < count
                for choice, count in zip(choices, strategy.space.counts, strict=True)
            )
            assert strategy.space.decode(choices) == proposal.genotype


def test_notes_are_json(make: Callable[..., Strategy]) -> None:
    """Notes survive the log unchanged, and are short enough to stand on every line of it."""
    for event, _, proposal, _ in crowded(make()):
        if event == "asked":
            text = json.dumps(dict(proposal.notes), allow_nan=False)
            assert json.loads(text) == dict(proposal.notes)
            assert len(text) < 2_000


def test_the_seed_decides(make: Callable[..., Strategy]) -> None:
    def drawn(seed: int) -> list[tuple[int, ...]]:
        strategy = make(seed=seed)
        asks = (step for step in crowded(strategy) if step[0] == "asked")
        return [strategy.space.encode(proposal.genotype) for _, _, proposal, _ in asks]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_numbers_differ(make: Callable[..., Strategy]) -> None:
    """Without a single result, different numbers still draw different genotypes."""
    strategy = make()
    assert (
        len({strategy.space.encode(asked(strategy, number).genotype) for number in range(20)}) > 3
    )


@pytest.mark.parametrize("number", [2**31, 2**63, 10**30])
def test_numbers_may_be_huge(make: Callable[..., Strategy], number: int) -> None:
    strategy = make()
    for place in range(number, number + 6):
        proposal = asked(strategy, place)
        told(strategy, place, proposal, score(strategy.space, proposal.genotype))


def test_genotypes_it_never_proposed_are_welcome(make: Callable[..., Strategy]) -> None:
    """A user's own genotypes come first, without notes; afterwards the search goes on from a log as
    ever."""
    one, other = make(), make()
    rng = numpy_rng(3, "guests")
    for number in range(8):
        guest = Proposal(one.space.sample(rng))
        for strategy in (one, other):
            told(strategy, number, guest, score(one.space, guest.genotype))
    for number in range(8, 8 + TRIALS):
        proposal = asked(one, number)
        assert same(asked(other, number), proposal)
        for strategy in (one, other):
            told(strategy, number, reread(one.space, proposal), score(one.space, proposal.genotype))


def test_a_plateau_is_survived(make: Callable[..., Strategy]) -> None:
    """When every score is the same, or all fall without end, proposals still come and still
    vary."""
    for slope in (0.0, -1.0):
        strategy = make()
        seen = set()
        for number in range(2 * TRIALS):
            proposal = asked(strategy, number)
            seen.add(strategy.space.encode(proposal.genotype))
            told(strategy, number, proposal, slope * number)
        assert len(seen) > 5


def test_diagnostics_are_for_the_log_only(make: Callable[..., Strategy]) -> None:
    """Reading them changes no proposal, and each is given out once."""
    silent, open_book = make(), make()
    for number in range(TRIALS):
        proposal = asked(silent, number)
        assert same(asked(open_book, number), proposal), number
        for strategy in (silent, open_book):
            told(strategy, number, proposal, score(silent.space, proposal.genotype))
        json.dumps(open_book.diagnostics(), allow_nan=False)
        assert open_book.diagnostics() == []
    json.dumps(dict(silent.recorded()), allow_nan=False)


def test_no_global_randomness_is_touched(make: Callable[..., Strategy]) -> None:
    import torch

    def state() -> tuple[bytes, bytes]:
        numbers = np.random.get_state(legacy=False)["state"]["key"]  # noqa: NPY002
        return numbers.tobytes(), torch.get_rng_state().numpy().tobytes()

    before = state()
    assert len(list(crowded(make()))) > TRIALS
    assert state() == before


@pytest.mark.parametrize("name", names("strategy"))
def test_options_are_described(name: str) -> None:
    """Options are keyword arguments with JSON defaults, and the class says what each does."""
    part = load("strategy", name)
    options = [
        p for p in inspect.signature(part).parameters.values() if p.name not in {"space", "seed"}
    ]
    for option in options:
        assert option.kind is inspect.Parameter.KEYWORD_ONLY, option.name
        assert json.loads(json.dumps(option.default)) == option.default, option.name
        assert f"{option.name}:" in (part.__doc__ or ""), (
            f"the docstring of {name} does not describe {option.name}"
        )


@pytest.mark.parametrize("name", names("strategy"))
def test_defaults_work(name: str) -> None:
    strategy = load("strategy", name)(space_called("odd"), 0)
    notes: Mapping[str, Json] = asked(strategy, 0).notes
    assert json.loads(json.dumps(dict(notes))) == dict(notes)
