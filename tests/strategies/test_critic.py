"""Search by critic, with a policy and without: the fold, what is in flight, wrong options."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch

from nas.contracts import Evaluation, Proposal, Strategy, Trial
from nas.errors import SettingsError
from nas.registry import load
from nas.search.old_options import in_todays_words
from nas.seeding import numpy_rng
from nas.strategies.controller.gaussian_process import (
    CHOSEN_EVERY,
    NOISE,
    Belief,
    Imagined,
    Kernel,
    fit,
    log_expected_improvement,
    normal_scores,
)
from nas.strategies.controller.insight import Insight
from nas.strategies.controller.plain_space import PlainSpace
from nas.strategies.controller.scalarising import scalarised
from nas.strategies.critic import CriticSearch
from nas.strategies.policy_gradient import PolicyGradient
from search_spaces.nasbench201 import Nasbench201Space

COUNTS = (3, 4, 2, 5)
Make = Callable[..., PolicyGradient | CriticSearch]


def controller(seed: int = 0, counts: tuple[int, ...] = COUNTS, **options: Any) -> PolicyGradient:
    return PolicyGradient(
        PlainSpace.of(*counts), seed, **{"hidden": 16, "uniform": 32, "draws": 16, **options}
    )


def critic(seed: int = 0, counts: tuple[int, ...] = COUNTS, **options: Any) -> CriticSearch:
    return CriticSearch(PlainSpace.of(*counts), seed, **{"uniform": 32, **options})


@pytest.fixture(params=[controller, critic])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


def score(strategy: Strategy, proposal: Proposal) -> float:
    return float(np.mean([choice == 1 for choice in strategy.space.encode(proposal.genotype)]))


def tell(strategy: Strategy, number: int, proposal: Proposal, value: float | None = None) -> None:
    value = score(strategy, proposal) if value is None else value
    strategy.tell(Trial(number, proposal.genotype, number, proposal.notes), Evaluation(value))


def teach(strategy: PolicyGradient | CriticSearch, trials: int, first: int = 0) -> list[Proposal]:
    proposals = []
    for number in range(first, first + trials):
        proposals.append(strategy.ask(number))
        tell(strategy, number, proposals[-1])
    return proposals


def teach_several(
    strategy: PolicyGradient | CriticSearch, trials: int, first: int = 0
) -> list[tuple[int, ...]]:
    """Two objectives against each other: how often option 1 is taken, and how seldom the last."""
    drawn = []
    for number in range(first, first + trials):
        proposal = strategy.ask(number)
        choices = strategy.space.encode(proposal.genotype)
        last = sum(c == n - 1 for c, n in zip(choices, strategy.space.counts, strict=True))
        point = (score(strategy, proposal), float(last))
        trial = Trial(number, proposal.genotype, number, proposal.notes)
        strategy.tell(trial, Evaluation(point[0], {}, 0.0, point))
        drawn.append(choices)
    return drawn


@pytest.mark.parametrize("options", [{}, {"preset": "plain", "batch": 4, "hidden": 16}])
def test_a_snapshot_of_several_objectives_is_worth_a_replay(
    make: Make, options: dict[str, Any]
) -> None:
    if options and make is critic:
        pytest.skip("it has no presets")

    def fresh() -> PolicyGradient | CriticSearch:
        return PolicyGradient(PlainSpace.of(*COUNTS), 0, **options) if options else make()

    lived, restored = fresh(), fresh()
    teach_several(lived, 13)
    restored.restore(lived.snapshot())
    assert teach_several(restored, 9, 13) == teach_several(lived, 9, 13)


def test_both_ends_of_a_front_are_found(make: Make) -> None:
    drawn = teach_several(make(counts=(3,) * 6), 40)
    assert (1,) * 6 in drawn
    assert (2,) * 6 in drawn


def test_a_reward_heeds_all_objectives_whatever_one_child_did() -> None:
    rows = [[0.1, 5.0], [0.2, 4.0], [0.3, 3.0], [-1e300, -1e308], [0.0, -1e308]]
    told = torch.tensor(rows, dtype=torch.float64)
    one, other = torch.eye(2, dtype=torch.float64)
    assert scalarised(told, (one + other) / 2).isfinite().all()
    assert [int(scalarised(told, weights).argmax()) for weights in (one, other)] == [2, 0]
    assert scalarised(torch.ones_like(told), one).unique().numel() == 1


@pytest.mark.parametrize("trials", [0, 3, 5, 6, 33, 44])
def test_a_snapshot_is_worth_a_replay_to_the_bit(make: Make, trials: int) -> None:
    lived = make()
    past = teach(lived, trials)
    thawed, replayed = make(), make()
    thawed.restore({name: array.copy() for name, array in lived.snapshot().items()})
    for number, proposal in enumerate(past):
        tell(replayed, number, proposal)
    for strategy in (lived, replayed):
        strategy.diagnostics()
    rest = [teach(strategy, 25, first=trials) for strategy in (lived, thawed, replayed)]
    assert rest[0] == rest[1] == rest[2]
    assert lived.diagnostics() == thawed.diagnostics() == replayed.diagnostics()
    arrays = [strategy.snapshot() for strategy in (lived, thawed, replayed)]
    for name, array in arrays[0].items():
        assert np.array_equal(array, arrays[1][name]), name
        assert np.array_equal(array, arrays[2][name]), name


def test_a_caller_cannot_change_the_bits(make: Make) -> None:
    plain, other = make(), make()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            proposals = teach(other, 20)
    finally:
        torch.set_num_threads(threads)
    assert teach(plain, 20) == proposals


def test_nothing_is_proposed_twice_before_all_is_known(make: Make) -> None:
    proposals = teach(make(0, (2, 3, 4)), 24)
    assert len({proposal.genotype.key for proposal in proposals}) == 24


def test_a_space_that_is_used_up_goes_on_with_repeats(make: Make) -> None:
    assert len({proposal.genotype for proposal in teach(make(0, (2, 2)), 12)}) == 4


def test_a_space_without_a_choice_is_survived(make: Make) -> None:
    assert len({proposal.genotype for proposal in teach(make(0, (1, 1)), 12)}) == 1


def test_networks_that_are_the_same_count_once() -> None:
    strategy = PolicyGradient(Nasbench201Space(), 0, hidden=8, uniform=32, draws=8)
    keys = [proposal.genotype.key for proposal in teach(strategy, 40)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("told", [0, 3, 20])
def test_what_is_in_flight_is_left_out(make: Make, told: int) -> None:
    """Sixteen numbers asked before the next result are sixteen different architectures."""
    strategy = make(0, (5, 5, 5, 5))
    teach(strategy, told)
    keys = {strategy.ask(number).genotype.key for number in range(told, told + 16)}
    assert len(keys) == 16


def test_what_is_open_before_there_is_a_critic_is_spread_out(make: Make) -> None:
    """Less alike than the draws that nothing open would have taken one after another."""
    kernel, spread, drawn = Kernel(PlainSpace.of(4, 4, 4, 4, 4, 4)), [], []
    for seed in range(4):
        strategy = make(seed, (4, 4, 4, 4, 4, 4), uniform=256)
        open_now = [strategy.ask(number).genotype for number in range(16)]
        rows = list(islice(strategy.past.new(strategy._candidates()), 16))
        assert strategy.space.encode(open_now[0]) == rows[0], "where nothing is open, as ever"
        taken = kernel.features(torch.tensor([strategy.space.encode(each) for each in open_now]))
        first = kernel.features(torch.tensor(rows))
        spread.append(float(kernel(taken, taken).sum()))
        drawn.append(float(kernel(first, first).sum()))
    assert np.mean(spread) < 0.9 * np.mean(drawn)


def test_several_proposals_of_one_trial_are_no_open_ones(make: Make) -> None:
    """Where a screen picks one of four, the first four are the first draws."""
    strategy = make(0, (4, 4, 4, 4, 4, 4), uniform=256)
    strategy.proposals = 4
    asked = [strategy.space.encode(strategy.ask(number).genotype) for number in range(5)]
    drawn = list(islice(strategy.past.new(strategy._candidates()), 5))
    assert asked[:4] == drawn[:4]
    assert asked[4] != drawn[4]


def test_what_is_open_differs_where_draws_run_dry(make: Make) -> None:
    keys = [make(0, (2, 3, 4)).ask(number).genotype.key for number in range(16)]
    assert len(set(keys)) == 16


def test_failures_do_not_add_up(make: Make) -> None:
    """A number without a result for 32 numbers is open no longer."""
    whole, holed = make(0, (5, 5, 5, 5)), make(0, (5, 5, 5, 5))
    for number in range(200):
        proposal = whole.ask(number)
        if number % 2 or number > 150:
            tell(holed, number, proposal)
        tell(whole, number, proposal)
    assert holed.past.ahead(200) == 0
    assert holed.past.ahead(203) == 3


def test_foreign_and_late_trials_are_full_data(make: Make) -> None:
    """What others propose, and what comes back late, is learned from like anything else."""
    strategy = make(0, (6, 6, 6, 6, 6))
    rng = numpy_rng(0, "guests")
    for number in reversed(range(60)):
        guest = Proposal(strategy.space.sample(rng))
        tell(strategy, number, guest)
    found = [score(strategy, strategy.ask(number)) for number in range(60, 64)]
    assert np.mean(found) > 0.5  # a uniform draw has a sixth


def test_the_policy_comes_to_draw_what_the_critic_likes() -> None:
    strategy = controller(learning_rate=0.01, every=1)
    noise = torch.from_numpy(numpy_rng(0, "test").gumbel(size=(200, 4, 5)).astype(np.float32))

    def worth() -> float:
        return float((strategy.policy.sample(noise)[0] == 1).float().mean())

    before = worth()
    teach(strategy, 40)
    assert worth() > before + 0.2


def test_only_the_best_and_the_last_trials_are_looked_at() -> None:
    """With thousands told, the critic has three hundred and those that came since it chose, the
    best of all times among them."""
    space, rng = PlainSpace.of(*COUNTS), numpy_rng(0, "test")
    rows = torch.tensor(rng.integers(0, COUNTS, (400, 4)))
    scores = torch.tensor(rng.random(400))
    scores[3] = 2.0
    believed = fit(Kernel(space), rows, scores)
    assert len(believed.weights) == 300 + 400 % CHOSEN_EVERY
    assert 3 in believed.ground.kept
    assert believed.told == 400


@pytest.mark.parametrize("noises", [(NOISE,), (NOISE, 0.2)], ids=["one noise", "two"])
def test_a_critic_that_hears_trial_after_trial_is_one_made_anew_and_the_direct_solution(
    noises: tuple[float, ...],
) -> None:
    kernel, rows, scores = heard(370)
    critic = None
    for told in range(1, 371):
        noise = noises[told % len(noises)]
        critic = fit(kernel, rows[:told], scores[:told], noise, critic)
        if told not in (1, 31, 32, 300, 319, 320, 370):
            continue
        anew = fit(kernel, rows[:told], scores[:told], noise)
        assert torch.equal(critic.root.inverse, anew.root.inverse)
        assert torch.equal(critic.weights, anew.weights)
        assert critic.scale == anew.scale
        kept = critic.ground.kept
        seen, targets = kernel.features(rows[kept]), normal_scores(scores[kept])
        one = torch.eye(len(kept), dtype=torch.float64)
        covariance = kernel(seen, seen).double() + noise * one
        wanted = torch.linalg.solve(covariance, targets)
        torch.testing.assert_close(critic.weights.double(), wanted, rtol=1e-6, atol=1e-6)
        whole = critic.root.inverse @ covariance @ critic.root.inverse.T
        torch.testing.assert_close(whole, one, rtol=0, atol=1e-9)


@pytest.mark.parametrize("born", [5, 30, 318])
def test_architectures_judged_again_are_judged_as_new_ones(born: int) -> None:
    """Whenever they are judged first, to the bit; and but for rounding as if drawn just now."""
    kernel, rows, scores = heard(330)
    drawn = torch.tensor(numpy_rng(1, "test").integers(0, COUNTS, (40, 4)))
    again = Imagined(drawn, born)
    for told in range(born, born + 9):
        critic = fit(kernel, rows[:told], scores[:told])
        found, first, now = again.by(critic), Imagined(drawn, born).by(critic), critic(drawn)
        for one, other, direct in zip(found, first, now, strict=True):
            assert torch.equal(one, other)
            torch.testing.assert_close(one, direct, rtol=1e-4, atol=1e-4)


def test_the_critic_of_seconds_is_the_direct_solution_and_changes_no_other_bit() -> None:
    kernel, rows, scores = heard(60)
    seconds = torch.tensor(numpy_rng(2, "test").random(60)) * 100
    seconds[7] = 0.0  # told again at no cost: nothing is known
    drawn = torch.tensor(numpy_rng(1, "test").integers(0, COUNTS, (40, 4)))
    known = seconds > 0
    apart = torch.where(known, seconds, 1.0).log()
    apart = torch.where(known, apart - apart[known].mean(), 0.0)
    seen = kernel.features(rows)
    covariance = kernel(seen, seen).double() + NOISE * torch.eye(60, dtype=torch.float64)
    wanted = kernel(kernel.features(drawn), seen).double() @ torch.linalg.solve(covariance, apart)
    timed, plain = fit(kernel, rows, scores, seconds=seconds), fit(kernel, rows, scores)
    found, again = timed.slowness(drawn), Imagined(drawn, 50)
    assert found is not None
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    again.by(timed)
    torch.testing.assert_close(again.slowness(timed), wanted, rtol=1e-4, atol=1e-4)
    assert torch.equal(timed.weights, plain.weights)
    assert plain.slowness(drawn) is None


def tell_timed(strategy: PolicyGradient | CriticSearch, trials: int, first: int = 0) -> list[float]:
    """What a trial takes hangs on its last decision, on which no score does."""
    seconds = []
    for number in range(first, first + trials):
        proposal = strategy.ask(number)
        choices = strategy.space.encode(proposal.genotype)
        seconds.append(2.0 ** choices[-1])
        worth = float(np.mean([choice == 1 for choice in choices[:-1]]))
        trial = Trial(number, proposal.genotype, number, proposal.notes)
        strategy.tell(trial, Evaluation(worth, {}, seconds[-1]))
    return seconds


def test_where_seconds_count_what_is_quick_is_tried(make: Make) -> None:
    """Once there is a critic, and while there is something to be gained."""
    counts = (4, 4, 4, 4, 4, 4, 5)
    spent = {
        costs: np.mean([tell_timed(make(seed, counts, costs=costs), 20)[5:] for seed in range(3)])
        for costs in (0.0, 1.0)
    }
    assert spent[1.0] < 0.75 * spent[0.0]


def test_a_snapshot_of_seconds_is_worth_a_replay(make: Make) -> None:
    lived, restored = make(costs=1.0), make(costs=1.0)
    tell_timed(lived, 70)  # more than the arrays begin with
    restored.restore(lived.snapshot())
    assert tell_timed(restored, 9, 70) == tell_timed(lived, 9, 70)
    assert "seconds" not in make().snapshot(), "as before, where they do not count"


def heard(trials: int) -> tuple[Kernel, torch.Tensor, torch.Tensor]:
    """A kernel, and so many trials with their scores."""
    rng = numpy_rng(0, "test")
    rows = torch.tensor(rng.integers(0, COUNTS, (trials, 4)))
    return Kernel(PlainSpace.of(*COUNTS)), rows, torch.tensor(rng.random(trials))


def test_a_snapshot_beyond_what_the_critic_keeps_is_worth_a_replay(make: Make) -> None:
    lived, replayed, rng = make(), make(), numpy_rng(0, "guests")
    guests = [Proposal(lived.space.sample(rng)) for _ in range(318)]
    for strategy in (lived, replayed):
        for number, guest in enumerate(guests):
            tell(strategy, number, guest)
    thawed = make()
    thawed.restore(lived.snapshot())
    rest = [teach(strategy, 6, first=318) for strategy in (lived, thawed, replayed)]
    assert rest[0] == rest[1] == rest[2]
    arrays = [strategy.snapshot() for strategy in (lived, thawed, replayed)]
    for name, array in arrays[0].items():
        assert np.array_equal(array, arrays[1][name]), name
        assert np.array_equal(array, arrays[2][name]), name


def test_normal_scores_ignore_unit_and_outliers() -> None:
    scores = torch.tensor([1.0, 5.0, 5.0, 9.0])
    plain = normal_scores(scores)
    torch.testing.assert_close(plain, normal_scores(torch.tensor([-1e300, 0.0, 0.0, 1e300])))
    assert float(plain.sum()) == pytest.approx(0)
    assert plain[1] == plain[2]


def test_expected_improvement_stays_in_order_far_below_the_best() -> None:
    mean = torch.linspace(-5_000, 5, 400).double()
    value = log_expected_improvement(Belief(mean, torch.full_like(mean, 0.5)), 1.0)
    assert bool(torch.isfinite(value).all())
    assert bool((value.diff() > 0).all())


def test_records_tell_how_well_the_critic_foresees(make: Make) -> None:
    strategy = make(0, (5, 5, 5, 5))
    teach(strategy, 60)
    records = strategy.diagnostics()
    assert [record["told"] for record in records] == [10, 20, 30, 40, 50, 60]
    assert records[-1]["foreseen"] == 55
    assert records[-1]["critic_correlation"] > 0.2
    assert ("policy" in records[-1]) == isinstance(strategy, PolicyGradient)
    assert strategy.diagnostics() == []


def test_a_critic_worse_than_nothing_raises_an_alarm() -> None:
    """Expectation and score that go opposite ways; going the same way, there is no alarm."""
    for sign, alarmed in ((-1, True), (1, False)):
        insight = Insight((2, 2))
        for place in range(60):
            insight.hear((0, 0), float(place % 7), sign * float(place % 7))
        last = insight.drain()[-1]
        assert ("alarm" in last) == alarmed
        assert "the critic is worse than nothing" in last.get(
            "alarm", "the critic is worse than nothing"
        )


def test_a_policy_that_has_collapsed_raises_an_alarm_unless_the_space_is_used_up() -> None:
    strategy = controller(0, (2, 2))
    teach(strategy, 8)  # its weights have gradients now
    sure = torch.log(torch.tensor([0.999, 0.001])).expand(2, 1, 2)
    for different, alarmed in ((100, True), (4, False)):
        insight = Insight((100, 2))
        insight.step(sure, strategy.policy, 0.0)
        for place in range(100):
            insight.hear((place % different, 0), float(place % 7), None)
        assert ("alarm" in insight.drain()[-1]) == alarmed


def test_monstrous_scores_leave_finite_weights() -> None:
    strategy = controller()
    for number in range(24):
        tell(strategy, number, strategy.ask(number), (-1.0) ** number * 1e300)
    assert all(bool(torch.isfinite(weight).all()) for weight in strategy.policy.parameters())
    json.dumps(strategy.diagnostics(), allow_nan=False)


def test_a_record_of_before_the_critic_is_read_as_plain() -> None:
    """What `default` meant then is `plain` now, and settles the same facts."""
    old = {"preset": "default", "batch": None, "hidden": 16, "warm_start": None}
    read = in_todays_words("strategy", "policy-gradient", old)
    assert read["preset"] == "plain"
    space = PlainSpace.of(*COUNTS)
    facts = PolicyGradient(space, 0, **read).recorded()
    assert facts["batch"] == 10
    assert "draws" not in facts
    assert in_todays_words("strategy", "policy-gradient", {"preset": "paper"})["preset"] == "paper"
    assert in_todays_words("strategy", "policy-gradient", read) == read
    assert in_todays_words("strategy", "evolution", {"population": 5}) == {"population": 5}


def test_a_record_of_before_seconds_counted_is_read_as_counting_none() -> None:
    space = PlainSpace.of(*COUNTS)
    critics = {"critic": {"uniform": 9}, "policy-gradient": {"draws": 9, "hidden": 16}}
    for name, old in critics.items():
        read = in_todays_words("strategy", name, old)
        assert read.keys() == {*old, "costs"}
        facts = load("strategy", name)(space, 0, **read).recorded()
        assert "costs" not in facts, "as it was recorded then"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"batch": 20},
            "option batch of policy-gradient does not belong to its preset default, but to plain "
            "and paper: leave it out, or say strategy.preset=plain",
        ),
        (
            {"preset": "paper", "draws": 20},
            "option draws of policy-gradient does not belong to its preset paper, but to default: "
            "leave it out",
        ),
        ({"draws": 1}, "draws of policy-gradient is 1; expected a whole number from 2 to 10,000"),
        ({"every": 0}, "every of policy-gradient is 0; expected a whole number from 1 to 1,000"),
        ({"learning_rate": 0.0}, "learning_rate of policy-gradient is 0.0; expected more than 0"),
        ({"costs": -1.0}, "costs of policy-gradient is -1.0; expected 0 to 10"),
        (
            {"preset": "plain", "costs": 1.0},
            "option costs of policy-gradient does not belong to its preset plain, but to default: "
            "leave it out",
        ),
    ],
    ids=str,
)
def test_wrong_settings_get_one_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        PolicyGradient(PlainSpace.of(2), 0, **options)
    assert str(refusal.value).startswith(sentence)


def test_wrong_options_of_critic_get_one_sentence() -> None:
    with pytest.raises(
        SettingsError, match="uniform of critic is 0; expected a whole number from 1 to 10,000"
    ):
        CriticSearch(PlainSpace.of(2), 0, uniform=0)
    with pytest.raises(SettingsError, match=r"costs of critic is 11\.0; expected a number from"):
        CriticSearch(PlainSpace.of(2), 0, costs=11.0)
