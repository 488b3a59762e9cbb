"""The controller: what it remembers, how it draws, how it is saved, and what it says when a setting
is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from nas.contracts import Evaluation, Proposal, Trial
from nas.errors import SettingsError
from nas.seeding import numpy_rng, torch_rng
from nas.strategies.controller.batches import BatchLearner, judge
from nas.strategies.controller.plain_space import PlainSpace
from nas.strategies.controller.policy import Policy, alone, log_probs_of
from nas.strategies.controller.settings import Settings, settings_from
from nas.strategies.policy_gradient import PolicyGradient
from search_spaces.errors import SpaceError
from search_spaces.nasnet import NasnetSpace

COUNTS = (3, 4, 2, 5)


def controller(seed: int = 0, counts: Sequence[int] = COUNTS, **options: Any) -> BatchLearner:
    settings = settings_from("plain", {"hidden": 16, "batch": 5, **options})
    assert isinstance(settings, Settings)
    return BatchLearner(PlainSpace.of(*counts), seed, settings)


def score(strategy: BatchLearner, proposal: Proposal) -> float:
    return float(np.mean([choice == 1 for choice in strategy.space.encode(proposal.genotype)]))


def tell(
    strategy: BatchLearner, number: int, proposal: Proposal, value: float | None = None
) -> None:
    value = score(strategy, proposal) if value is None else value
    strategy.tell(Trial(number, proposal.genotype, number, proposal.notes), Evaluation(value))


def teach(strategy: BatchLearner, trials: int, first: int = 0) -> list[Proposal]:
    proposals = []
    for number in range(first, first + trials):
        proposals.append(strategy.ask(number))
        tell(strategy, number, proposals[-1])
    return proposals


def gumbel(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(numpy_rng(seed, "test").gumbel(size=shape).astype(np.float32))


def weights(strategy: BatchLearner) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in strategy.policy.parameters()])


# ------------------------------------------------------------------ the policy


def test_the_step_by_step_pass_is_the_lstm() -> None:
    """The draw sees, step by step, the logits that learning sees: the same choices, the same
    numbers."""
    space = NasnetSpace()
    policy = Policy(
        space.counts, Settings(tanh_constant=2.5, temperature=0.1), torch_rng(0, "test")
    )
    noise = gumbel(0, 200, len(space.counts), max(space.counts))
    choices, noted = policy.sample(noise)
    with torch.no_grad():
        distributions = policy.log_distributions(choices)
    assert noted.dtype == torch.float32
    torch.testing.assert_close(noted, log_probs_of(distributions, choices), rtol=1e-4, atol=1e-5)
    again = (distributions.transpose(0, 1) + noise).argmax(-1)
    assert float((again == choices).float().mean()) > 0.999  # a near tie may fall either way


def test_the_way_back_written_by_hand_is_that_of_autograd() -> None:
    space = NasnetSpace()
    settings = Settings(hidden=24, tanh_constant=2.5, temperature=0.7)
    policy = Policy(space.counts, settings, torch_rng(0, "test"))
    draw = policy.draw(gumbel(0, 9, len(space.counts), max(space.counts)))
    weights = gumbel(1, len(space.counts), 9, max(space.counts))
    found, wanted = (
        (values, torch.autograd.grad((values.exp() * weights).sum(), list(policy.parameters())))
        for values in (policy.drawn_distributions(draw), policy.log_distributions(draw.choices))
    )
    torch.testing.assert_close(found[0], wanted[0], rtol=1e-4, atol=1e-5)
    for one, other in zip(found[1], wanted[1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_forbidden_options_have_no_probability_and_no_gradient() -> None:
    policy = Policy((2, 5), Settings(hidden=8), torch_rng(0, "test"))
    distributions = policy.log_distributions(torch.tensor([[0, 0], [1, 4]]))
    assert torch.all(distributions[0, :, 2:].exp() == 0)
    torch.testing.assert_close(distributions.exp().sum(-1), torch.ones(2, 2))
    distributions[:, :, :2].sum().backward()
    assert policy.weight.grad is not None
    assert torch.all(policy.weight.grad[0, :, 2:] == 0)


def test_draws_follow_the_distribution() -> None:
    policy = Policy((4,), Settings(hidden=8), torch_rng(1, "test"))
    with torch.no_grad():
        policy.bias.copy_(torch.tensor([0.0, 1.0, -1.0, 0.5])[None, None])
    drawn, _ = policy.sample(gumbel(1, 20_000, 1, 4))
    share = torch.bincount(drawn[:, 0], minlength=4) / len(drawn)
    torch.testing.assert_close(
        share, policy.log_distributions(drawn[:1])[0, 0].exp().detach(), rtol=0, atol=0.02
    )


def test_the_start_is_uniform_within_a_tenth() -> None:
    strategy = controller(hidden=100)
    start = weights(strategy)
    assert 0.099 < float(start.abs().max()) <= 0.1
    assert abs(float(start.mean())) < 0.002
    assert not torch.equal(start, weights(controller(1, hidden=100)))


def test_a_caller_cannot_change_the_bits() -> None:
    """Threads, autocast and gradient mode of the process neither reach the controller nor are
    changed by it."""
    plain = controller()
    teach(plain, 20)
    other = controller()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            teach(other, 20)
        with alone():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(weights(plain), weights(other))


# ------------------------------------------------------------------ the fold


def test_a_block_is_drawn_anew_after_an_update_in_its_middle() -> None:
    """Tells that arrive between asks of one block change what its later rows are, and nothing else
    does."""
    strategy, replayed = controller(), controller()
    first = [strategy.ask(number) for number in range(8)]
    for number in range(5):
        tell(strategy, number, first[number])
        tell(replayed, number, first[number])
    assert strategy.ask(7) != first[7]
    assert [strategy.ask(number) for number in (8, 9)] == [
        replayed.ask(number) for number in (8, 9)
    ]
    assert strategy.ask(7) == replayed.ask(7)


def test_late_results_are_weighed_by_their_own_log_probabilities() -> None:
    """Notes of an older policy count: the same trials with today's log-probabilities would teach
    otherwise."""
    strategy, other = controller(), controller()
    late = [strategy.ask(number) for number in range(100, 105)]
    for learner in (strategy, other):
        teach(learner, 25)
    for number, proposal in enumerate(late):
        tell(strategy, 100 + number, proposal)
        renewed = {"log_probs": [value / 2 for value in proposal.notes["log_probs"]]}
        tell(other, 100 + number, Proposal(proposal.genotype, renewed))
    assert not torch.equal(weights(strategy), weights(other))


@pytest.mark.parametrize(
    "notes",
    [
        {},
        {"log_probs": [-1.0]},
        {"log_probs": ["x"] * 4},
        {"log_probs": [math.nan] * 4},
        {"log_probs": None},
    ],
    ids=str,
)
def test_trials_of_others_are_no_draws_of_ours(notes: dict[str, Any]) -> None:
    """They fill no batch; they are ranked against and, when good, imitated."""
    strategy = controller()
    before = weights(strategy)
    for number in range(10):
        guest = strategy.space.decode((1, 1, 1, 1))
        strategy.tell(Trial(number, guest, 0, notes), Evaluation(0.9))
    assert torch.equal(before, weights(strategy))
    assert strategy.memory.best == [(0.9, (1, 1, 1, 1))]
    teach(strategy, 40, first=10)
    with alone(), torch.no_grad():
        best = torch.tensor([[1, 1, 1, 1]])
        assert (
            float(log_probs_of(strategy.policy.log_distributions(best), best).sum())
            > -math.log(120) + 1
        )


def test_a_snapshot_is_worth_a_replay_to_the_bit() -> None:
    """Weights, Adam's moments, half a batch, earlier trials, known choices: all come back."""
    lived = controller(redraws=2, reuse=10)
    past = teach(lived, 33)
    frozen = {name: array.copy() for name, array in lived.snapshot().items()}
    assert all(isinstance(array, np.ndarray) for array in frozen.values())
    thawed = controller(redraws=2, reuse=10)
    thawed.restore(frozen)
    replayed = controller(redraws=2, reuse=10)
    for number, proposal in enumerate(past):
        tell(
            replayed,
            number,
            Proposal(proposal.genotype, json.loads(json.dumps(dict(proposal.notes)))),
        )
    replayed.diagnostics()
    lived.diagnostics()
    rest = [teach(strategy, 30, first=33) for strategy in (lived, thawed, replayed)]
    assert rest[0] == rest[1] == rest[2]
    assert torch.equal(weights(lived), weights(thawed))
    assert torch.equal(weights(lived), weights(replayed))
    assert lived.diagnostics() == thawed.diagnostics() == replayed.diagnostics()


def test_a_snapshot_before_the_first_update_is_one_too() -> None:
    fresh, other = controller(), controller(5)
    other.restore(fresh.snapshot())
    assert torch.equal(weights(fresh), weights(other))


def test_a_snapshot_travels_in_a_safetensors_file() -> None:
    from safetensors.numpy import load, save

    strategy, other = controller(), controller()
    teach(strategy, 12)
    other.restore(load(save(dict(strategy.snapshot()))))
    assert strategy.ask(40) == other.ask(40)


def test_redraws_leave_out_what_is_known() -> None:
    """On a space of 24, four batches with redraws hold fewer repeats than without."""
    counts = (2, 3, 4)
    distinct = {}
    for redraws in (0, 20):
        strategy = controller(3, counts, redraws=redraws, learning_rate=1e-5)
        distinct[redraws] = len({proposal.genotype for proposal in teach(strategy, 20)})
    assert distinct[0] < distinct[20] == 20


def test_a_space_that_is_used_up_goes_on_with_repeats() -> None:
    strategy = controller(0, (2, 2))
    assert len({proposal.genotype for proposal in teach(strategy, 30)}) == 4


def test_memory_holds_one_entry_for_each_distinct_trial() -> None:
    strategy = controller(0, (2, 2), reuse=10, replay=3, window=20)
    teach(strategy, 100)
    memory = strategy.memory
    assert (len(memory.known), len(memory.best), len(memory.recent), len(memory.earlier)) == (
        4,
        3,
        20,
        10,
    )
    assert memory.best[0][1] == (1, 1)


def test_reinforce_takes_one_step_per_batch() -> None:
    one = controller(algorithm="reinforce", epochs=1, clip=0.1)
    other = controller(algorithm="reinforce", epochs=7, clip=0.3)
    for strategy in (one, other):
        teach(strategy, 20)
    assert torch.equal(weights(one), weights(other))


# ------------------------------------------------------------------ advantages


def test_the_first_batch_is_judged_by_the_others_in_it() -> None:
    settings = settings_from("paper", {})
    assert isinstance(settings, Settings)
    advantages, baseline = judge(np.array([1.0, 2.0, 6.0]), np.array([]), None, settings)
    assert advantages.tolist() == [1 - 4, 2 - 3.5, 6 - 1.5]
    assert baseline == 3


def test_the_baseline_moves_with_every_reward_in_turn() -> None:
    settings = Settings(baseline_decay=0.5, advantage="baseline")
    advantages, baseline = judge(np.array([1.0, 3.0]), np.array([]), 0.0, settings)
    assert advantages.tolist() == [1.0, 3.0]
    assert baseline == 0.5 * (0.5 * 0 + 0.5 * 1) + 0.5 * 3


def test_ranks_ignore_unit_and_outliers() -> None:
    scores, settings = np.array([10.0, 80.0, 85.0, 85.0]), Settings(advantage="rank")
    recent = np.concatenate([scores, [70.0, 90.0]])
    plain, _ = judge(scores, recent, None, settings)
    for change in (lambda x: x / 100, lambda x: np.exp(x), lambda x: x - 1e6):
        np.testing.assert_allclose(judge(change(scores), change(recent), None, settings)[0], plain)
    assert plain[0] < plain[1] < plain[2] == plain[3]
    assert plain[0] == pytest.approx(-(3**0.5) * 5 / 6)


def test_scale_divides_by_the_spread() -> None:
    settings = Settings(advantage="scale")
    scores = np.array([1.0, 3.0])
    one, _ = judge(scores, scores, 2.0, settings)
    other, _ = judge(100 * scores, 100 * scores, 200.0, settings)
    np.testing.assert_allclose(one, [-1, 1])
    np.testing.assert_allclose(one, other)


@pytest.mark.parametrize("advantage", ["baseline", "scale", "rank"])
def test_monstrous_scores_leave_finite_weights(advantage: str) -> None:
    strategy = controller(advantage=advantage)
    for number in range(20):
        tell(strategy, number, strategy.ask(number), (-1.0) ** number * 1e300)
    assert torch.isfinite(weights(strategy)).all()
    json.dumps(strategy.diagnostics(), allow_nan=False)


# ------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"preset": "papr"},
            "no preset of policy-gradient is called 'papr'; there are default, paper, plain; did",
        ),
        (
            {"algorithm": "a2c"},
            "algorithm of policy-gradient is 'a2c'; expected one of ppo, reinforce",
        ),
        ({"batch": 0}, "batch of policy-gradient is 0; expected a whole number from 1 to 10,000"),
        (
            {"batch": 2.5},
            "batch of policy-gradient is 2.5; expected a whole number from 1 to 10,000",
        ),
        ({"learning_rate": 0.0}, "learning_rate of policy-gradient is 0.0; expected more than 0"),
        (
            {"learning_rate": math.nan},
            "learning_rate of policy-gradient is nan; expected more than 0",
        ),
        ({"entropy_weight": -1.0}, "entropy_weight of policy-gradient is -1.0; expected 0 or more"),
        ({"baseline_decay": 1.5}, "baseline_decay of policy-gradient is 1.5; expected 0 to 1"),
        (
            {"redraws": -1},
            "redraws of policy-gradient is -1; expected a whole number from 0 to 100",
        ),
        (
            {"batch": 10**9},
            "batch of policy-gradient is 1000000000; expected a whole number from 1 to 10,000",
        ),
        (
            {"hidden": 10**8},
            "hidden of policy-gradient is 100000000; expected a whole number from 1 to 4,096",
        ),
        (
            {"reuse": 10**20},
            "reuse of policy-gradient is 100000000000000000000; expected a whole number from 0 to",
        ),
        ({"batch": True}, "batch of policy-gradient is True; expected a whole number"),
        (
            {"batch": 10**4, "redraws": 10},
            "batch 10,000 and redraws 10 of policy-gradient make blocks of 110,000 rows",
        ),
    ],
    ids=str,
)
def test_wrong_settings_get_one_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        PolicyGradient(PlainSpace.of(2), 0, **{"preset": "plain", **options})
    assert str(refusal.value).startswith(sentence)


def test_the_preset_paper_is_the_papers() -> None:
    strategy = PolicyGradient(PlainSpace.of(2), 0, preset="paper", batch=30)
    facts = strategy.recorded()
    assert (facts["learning_rate"], facts["entropy_weight"], facts["baseline_decay"]) == (
        0.00035,
        0.00001,
        0.95,
    )
    assert (facts["algorithm"], facts["batch"], facts["hidden"], facts["replay"]) == (
        "ppo",
        30,
        100,
        0,
    )


def test_foreign_genotypes_of_a_plain_space_are_refused() -> None:
    with pytest.raises(SpaceError, match="does not answer every decision"):
        PlainSpace.of(2, 2).encode(PlainSpace.of(2).decode((1,)))
