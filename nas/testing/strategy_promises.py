"""What every strategy promises."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from nas.contracts import Evaluation, Json, Proposal, Strategy, Trial
from nas.registry import load
from nas.seeding import derive, numpy_rng
from nas.testing.promises import Promise, keep_all, part_of
from search_spaces.cells import Setting
from search_spaces.cells.decided_settings import DecidedSettings
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import Decision, SearchSpace

Make = Callable[..., Strategy]  # make(seed=7)
Step = tuple[str, int, Proposal, float]
TRIALS = 24
_ORDERS = 6
_SCORES = (-1e300, -1.0, 0.0, 0.5, 0.5, 1e300)


class Odd(SearchSpace):
    """Seven decisions of unequal size, two of which leave no choice, with options of both types."""

    name = "odd"
    _decisions = tuple(
        Decision(
            f"{count} of {index}",
            tuple(range(count)) if index % 2 else tuple(f"op{k}" for k in range(count)),
        )
        for index, count in enumerate((3, 1, 2, 13, 4, 1, 2))
    )

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """All seven."""
        return self._decisions

    def decode(self, choices: Sequence[int]) -> Genotype:
        """Bare choices by the names of their decisions."""
        pairs = zip(self.decisions, self.checked(choices), strict=True)
        return Genotype(
            "odd", choices={decision.name: decision.options[choice] for decision, choice in pairs}
        )

    def encode(self, genotype: Genotype) -> tuple[int, ...]:
        """The choices of a member."""
        assert genotype.choices is not None
        return tuple(
            decision.options.index(genotype.choices[decision.name]) for decision in self.decisions
        )


def check_strategy(
    part: Any, *, spaces: Sequence[SearchSpace] | None = None, **options: Any
) -> None:
    """Try every promise of a strategy, on each of these spaces.

    Args:
        part: its class, or its name as on the command line.
        spaces: an odd one and our usual ones where nothing is said.
        options: what its constructor is given; choose them so that it learns within a few trials.
    """
    strategy = part_of("strategy", part)
    usual = [Odd(), *(load("space", name)() for name in ("ladder", "nasbench201", "nasnet"))]
    widths: dict[str, list[Setting]] = {
        "skeleton.filters": [16, 24, 32],
        "recipe.learning_rate": [0.01, 0.05],
    }
    usual.append(DecidedSettings(space=load("space", "ladder")(), settings=widths))
    describes_its_options(strategy)
    for space in usual if spaces is None else spaces:
        keep_all(STRATEGY_PROMISES, strategy_maker(strategy, space, **options))


def strategy_maker(part: Callable[..., Strategy], space: SearchSpace, **options: Any) -> Make:
    """Makes a fresh strategy each time, of the seed it is given."""

    def make(seed: int = 7) -> Strategy:
        return part(space, seed, **options)

    return make


def describes_its_options(part: Callable[..., Strategy]) -> None:
    """Options are keyword arguments with defaults in JSON, and the docstring says what each
    does."""
    parameters = inspect.signature(part).parameters.values()
    assert isinstance(part.takes_several, bool), "takes_several is True or False"  # type: ignore[attr-defined]
    for option in [p for p in parameters if p.name not in ("space", "seed")]:
        assert option.kind is inspect.Parameter.KEYWORD_ONLY, f"{option.name} stands before the *"
        assert json.loads(json.dumps(option.default)) == option.default, option.name
        described = f"{option.name}:" in (part.__doc__ or "")
        assert described, f"its docstring does not describe {option.name}"


def score(space: SearchSpace, genotype: Genotype) -> float:
    """Some landscape: the share of decisions that took the last option."""
    choices = space.encode(genotype)
    return sum(c == n - 1 for c, n in zip(choices, space.counts, strict=True)) / len(choices)


def asking_changes_nothing(make: Make) -> None:
    """A storm of questions between tells leaves every later proposal as it was."""
    calm, stormy = make(), make()
    for number in range(TRIALS):
        for other in (number + 5, number, 0, 10**6, number):
            stormy.ask(other)
        proposal = _asked(calm, number)
        assert _same(_asked(stormy, number), proposal), f"proposal {number} is another"
        for strategy in (calm, stormy):
            _told(strategy, number, proposal, score(calm.space, proposal.genotype))


def asking_twice_gives_the_same(make: Make) -> None:
    """Whoever asks for a number twice is told the same."""
    strategy = make()
    for number in range(TRIALS):
        proposal = _asked(strategy, number)
        _told(strategy, number, proposal, score(strategy.space, proposal.genotype))
        assert _same(_asked(strategy, number + 1), _asked(strategy, number + 1)), number


def its_log_is_all_there_is(make: Make) -> None:
    """Every proposal of a crowded study follows from the tells before it, read from a log."""
    log = list(_crowded(make()))
    replayed = make()
    for event, number, proposal, result in log:
        back = _reread(replayed.space, proposal)
        if event == "told":
            _told(replayed, number, back, result)
        else:
            assert _same(_asked(replayed, number), back), f"proposal {number} is another"


def resumes_exactly(make: Make) -> None:
    """Killed after some results and told them again, if it learns, it goes on as the one that
    lived."""
    log = [step for step in _crowded(make()) if step[0] == "told"]
    alive = make()
    for count, (_, number, proposal, result) in enumerate(log):
        _told(alive, number, proposal, result)
        if count % 5 == 4:
            resumed = make()
            for _, past, drawn, mark in log[: count + 1] if resumed.learns else ():
                _told(resumed, past, _reread(alive.space, drawn), mark)
            assert _same(_asked(resumed, number + 9), _asked(alive, number + 9)), count


def survives_any_order(make: Make) -> None:
    """Results arrive in any order, some never; proposals stay in the space and follow from them."""
    rng = numpy_rng(0, "testing", "orders")
    for _ in range(_ORDERS):
        author, one, other = make(), make(), make()
        proposals = {number: _asked(author, number) for number in range(12)}
        for number in rng.permutation(12)[: rng.integers(13)].tolist():
            result = float(_SCORES[int(rng.integers(len(_SCORES)))])
            for strategy in (one, other):
                _told(strategy, number, proposals[number], result)
        for number in (12, 13, 400):
            proposal = _asked(one, number)
            assert _same(proposal, _asked(other, number)), number
            assert one.space.decode(one.space.encode(proposal.genotype)) == proposal.genotype


def stays_in_the_space(make: Make) -> None:
    """Proposals are members of the space."""
    strategy = make()
    for event, _, proposal, _ in _crowded(strategy):
        if event == "asked":
            choices = strategy.space.encode(proposal.genotype)
            pairs = zip(choices, strategy.space.counts, strict=True)
            assert all(0 <= choice < count for choice, count in pairs)
            assert strategy.space.decode(choices) == proposal.genotype


def notes_are_json(make: Make) -> None:
    """Notes survive the log unchanged, and are short enough to stand on every line of it."""
    for event, _, proposal, _ in _crowded(make()):
        if event == "asked":
            text = json.dumps(dict(proposal.notes), allow_nan=False)
            assert json.loads(text) == dict(proposal.notes)
            assert len(text) < 2_000, f"{len(text)} characters"


def the_seed_decides(make: Make) -> None:
    """The same seed draws the same, another seed draws otherwise."""

    def drawn(seed: int) -> list[tuple[int, ...]]:
        strategy = make(seed=seed)
        asks = (step for step in _crowded(strategy) if step[0] == "asked")
        return [strategy.space.encode(proposal.genotype) for _, _, proposal, _ in asks]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def numbers_differ(make: Make) -> None:
    """Without a single result, different numbers still draw different genotypes."""
    strategy = make()
    drawn = {strategy.space.encode(_asked(strategy, number).genotype) for number in range(20)}
    assert len(drawn) > 3


def numbers_may_be_huge(make: Make) -> None:
    """A number may have thirty digits."""
    for first in (2**31, 2**63, 10**30):
        strategy = make()
        for number in range(first, first + 6):
            proposal = _asked(strategy, number)
            _told(strategy, number, proposal, score(strategy.space, proposal.genotype))


def guests_are_welcome(make: Make) -> None:
    """It may hear of genotypes that it never proposed; then the search goes on from a log as
    ever."""
    one, other = make(), make()
    rng = numpy_rng(3, "guests")
    for number in range(8):
        guest = Proposal(one.space.sample(rng))
        for strategy in (one, other):
            _told(strategy, number, guest, score(one.space, guest.genotype))
    for number in range(8, 8 + TRIALS):
        proposal = _asked(one, number)
        assert _same(_asked(other, number), proposal)
        for strategy in (one, other):
            back = _reread(one.space, proposal)
            _told(strategy, number, back, score(one.space, proposal.genotype))


def survives_a_plateau(make: Make) -> None:
    """When every score is the same, or all fall without end, proposals still come and still
    vary."""
    for slope in (0.0, -1.0):
        strategy = make()
        seen = set()
        for number in range(2 * TRIALS):
            proposal = _asked(strategy, number)
            seen.add(strategy.space.encode(proposal.genotype))
            _told(strategy, number, proposal, slope * number)
        assert len(seen) > 5


def diagnostics_are_for_the_log_only(make: Make) -> None:
    """Reading diagnostics changes no proposal, and each is given out once."""
    silent, open_book = make(), make()
    for number in range(TRIALS):
        proposal = _asked(silent, number)
        assert _same(_asked(open_book, number), proposal), number
        for strategy in (silent, open_book):
            _told(strategy, number, proposal, score(silent.space, proposal.genotype))
        json.dumps(open_book.diagnostics(), allow_nan=False)
        assert open_book.diagnostics() == []
    json.dumps(dict(silent.recorded()), allow_nan=False)


def touches_no_global_randomness(make: Make) -> None:
    """The generators that Python, numpy and torch share are left alone."""

    def state() -> tuple[bytes, bytes]:
        numbers: Any = np.random.get_state(legacy=False)  # noqa: NPY002
        return numbers["state"]["key"].tobytes(), torch.get_rng_state().numpy().tobytes()

    before = state()
    for _ in _crowded(make()):
        pass
    assert state() == before


def several(promise: Promise, objectives: int) -> Promise:
    """The same promise in a study with so many objectives."""

    @functools.wraps(promise)
    def tried(make: Make) -> None:
        promise(lambda **given: _Several(make(**given), objectives))

    tried.__name__ = f"{promise.__name__}_with_{objectives}_objectives"
    return tried


class _Several(Strategy):
    """A strategy that hears further objectives beside every score: they are against it, each in
    its own way."""

    def __init__(self, heard: Strategy, objectives: int) -> None:
        super().__init__(heard.space, heard.seed)
        self._heard, self._objectives = heard, objectives

    def ask(self, number: int) -> Proposal | None:
        return self._heard.ask(number)

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        firsts = sum(choice == 0 for choice in self.space.encode(trial.genotype))
        others = (-abs(evaluation.score), float(firsts))[: self._objectives - 1]
        point = (evaluation.score, *others)
        told = Evaluation(evaluation.score, evaluation.metrics, evaluation.seconds, point)
        self._heard.tell(trial, told)

    def diagnostics(self) -> list[dict[str, Json]]:
        return self._heard.diagnostics()

    def recorded(self) -> Mapping[str, Json]:
        return self._heard.recorded()


def _told(strategy: Strategy, number: int, proposal: Proposal, result: float) -> None:
    trial = Trial(number, proposal.genotype, derive(7, "trial", number), proposal.notes)
    strategy.tell(trial, Evaluation(result, {"extra": [1, None]}, 1.5))


def _asked(strategy: Strategy, number: int) -> Proposal:
    proposal = strategy.ask(number)
    assert proposal is not None, f"it has no proposal {number}"
    return proposal


def _reread(space: SearchSpace, proposal: Proposal) -> Proposal:
    """The proposal as it comes back from a log."""
    notes: Mapping[str, Json] = json.loads(json.dumps(dict(proposal.notes)))
    return Proposal(space.decode(space.encode(proposal.genotype)), notes)


def _same(one: Proposal, other: Proposal) -> bool:
    return one.genotype == other.genotype and dict(one.notes) == dict(other.notes)


def _crowded(strategy: Strategy, trials: int = TRIALS, workers: int = 3) -> Iterator[Step]:
    """A study of several workers: numbers with gaps, results out of order, one in six never
    comes."""
    rng = numpy_rng(0, "crowd")
    flying: list[tuple[int, Proposal]] = []
    number = 0
    for _ in range(trials):
        while len(flying) < workers:
            number += 1 + int(rng.integers(2))
            flying.append((number, _asked(strategy, number)))
            yield ("asked", number, flying[-1][1], 0.0)
        place, proposal = flying.pop(int(rng.integers(len(flying))))
        if rng.integers(6):
            result = score(strategy.space, proposal.genotype)
            _told(strategy, place, proposal, result)
            yield ("told", place, proposal, result)


PROMISES_OF_ONE: tuple[Promise, ...] = (
    asking_changes_nothing,
    asking_twice_gives_the_same,
    its_log_is_all_there_is,
    resumes_exactly,
    survives_any_order,
    stays_in_the_space,
    notes_are_json,
    the_seed_decides,
    numbers_differ,
    numbers_may_be_huge,
    guests_are_welcome,
    survives_a_plateau,
    diagnostics_are_for_the_log_only,
    touches_no_global_randomness,
)
# What depends on results holds whatever their number; one objective more changes nothing else.
PROMISES_OF_SEVERAL: tuple[Promise, ...] = (
    several(its_log_is_all_there_is, 2),
    several(survives_any_order, 2),
    several(its_log_is_all_there_is, 3),
)
STRATEGY_PROMISES: tuple[Promise, ...] = (*PROMISES_OF_ONE, *PROMISES_OF_SEVERAL)
