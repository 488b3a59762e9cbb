"""Proof that the controller learns for the right reason: formulas against enumeration, then
learning against control.

On a space small enough to enumerate, the expected score and its gradient are known exactly. Every
check takes the rules of learning as an argument, so that wrong ones can be shown to fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from nas.contracts import Evaluation, Trial
from nas.seeding import numpy_rng, torch_rng
from nas.strategies.controller import selftest_critic
from nas.strategies.controller.batches import Batch, BatchLearner, LearningRules, loss_of
from nas.strategies.controller.check import Check
from nas.strategies.controller.plain_space import PlainSpace
from nas.strategies.controller.policy import Policy, alone, log_probs_of
from nas.strategies.controller.settings import Settings, settings_from
from nas.strategies.policy_gradient import ImaginedRules

COUNTS = (4, 3, 5)
BASELINE = 0.3
NO_CLIP = 1e9
PAPER = settings_from("paper", {})
assert isinstance(PAPER, Settings)
PLAIN = replace(PAPER, entropy_weight=0.0, algorithm="reinforce", hidden=32)
SAMPLES = (250, 1_000, 4_000, 16_000)
REPEATS = 5
CONTROLS = 16


def run() -> Iterator[Check]:
    """All checks: of learning from batches, then of the critic and what it teaches."""
    for check in CHECKS:
        yield check(LearningRules())
    for imagined in selftest_critic.CHECKS:
        yield imagined(ImaginedRules())


# ------------------------------------------------------------------ formulas, enumerated


def check_determinism(rules: LearningRules) -> Check:
    """Twice the same, on one thread as on two, and nothing of the process is changed."""
    before = torch.get_num_threads(), torch.get_rng_state()
    try:
        weights = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            strategy = _taught(rules, _share_of_hits((1, 2, 3)), trials=60, seed=5)
            weights.append(_flat(list(strategy.policy.parameters())))
            kept = torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before[0])
    same = bool(torch.equal(*weights))
    untouched = bool(torch.equal(before[1], torch.get_rng_state())) and kept
    detail = (
        f"two runs equal to the bit: {same}; threads and global generator untouched: {untouched}"
    )
    return Check("deterministic on one thread", same and untouched, detail)


def check_exact_gradient(rules: LearningRules) -> Check:
    """Summed over all architectures, one-trial batches move the policy along the gradient of the
    expected score."""
    policy, every, scores = _enumerated()
    wanted = _exact_gradient(policy, every, scores)
    advantages = torch.cat(
        [_advantages(rules, scores[row : row + 1]) for row in range(len(scores))]
    )
    errors = {}
    for name in ("reinforce", "ppo"):
        log_probs = log_probs_of(policy.log_distributions(every), every)
        gains = _gains(rules, name, log_probs, log_probs.detach(), advantages)
        errors[name] = _error(
            _gradient(policy, (log_probs.detach().sum(1).exp() * gains).sum()), wanted
        )
    detail = ", ".join(f"{name} off by {error:.1e}" for name, error in errors.items())
    return Check("exact gradient of the expected score", max(errors.values()) < 1e-3, detail)


def check_sampled_gradient(rules: LearningRules) -> Check:
    """From real draws in batches of 20, the error shrinks as one over the root of their number."""
    policy, every, scores = _enumerated()
    wanted = _exact_gradient(policy, every, scores)
    value = dict(zip(map(tuple, every.tolist()), scores.tolist(), strict=True))
    means = []
    for size in SAMPLES:
        errors = [
            _error(_sampled_gradient(rules, policy, value, size, repeat), wanted)
            for repeat in range(REPEATS)
        ]
        means.append(float(np.mean(errors)))
    slope = float(np.polyfit(np.log(SAMPLES), np.log(means), 1)[0])
    detail = (
        f"relative error {means[0]:.3f} at {SAMPLES[0]:,} draws, {means[-1]:.3f} at "
        f"{SAMPLES[-1]:,}; order {slope:.2f}"
    )
    return Check("sampled gradient converges", -0.6 < slope < -0.4 and means[-1] < 0.1, detail)


def check_late_results(rules: LearningRules) -> Check:
    """Draws of an older policy, weighed by the ratio, still give today's gradient (exact for a
    single decision)."""
    policy, every, scores = _enumerated((6,))
    older, _, _ = _enumerated((6,), seed=1)
    wanted = _exact_gradient(policy, every, scores)
    drawn = log_probs_of(older.log_distributions(every), every).detach()
    log_probs = log_probs_of(policy.log_distributions(every), every)
    advantages = torch.cat(
        [_advantages(rules, scores[row : row + 1]) for row in range(len(scores))]
    )
    gains = rules.ppo(log_probs, drawn, advantages, NO_CLIP)
    error = _error(_gradient(policy, (drawn.sum(1).exp() * gains).sum()), wanted)
    return Check(
        "late results are weighed by the true ratio", error < 1e-3, f"gradient off by {error:.1e}"
    )


def check_ppo_is_reinforce(rules: LearningRules) -> Check:
    """One epoch without clipping is REINFORCE, on proposals as they come back from a log."""
    gradients = []
    for algorithm in ("ppo", "reinforce"):
        strategy = _strategy(
            rules, seed=3, algorithm=algorithm, batch=20, clip=NO_CLIP, entropy_weight=0.0
        )
        batch = _batch_of(strategy, _share_of_hits((1, 2, 3)))
        loss, _, _ = loss_of(strategy.policy, batch, strategy.settings, rules)
        gradients.append(_gradient(strategy.policy, loss))
    error = _error(gradients[0], gradients[1])
    return Check(
        "ppo with one epoch and no clip is reinforce",
        error < 1e-3,
        f"gradients differ by {error:.1e}",
    )


def check_clipping(rules: LearningRules) -> Check:
    """The gradient of a ratio stops beyond the clip range where moving on would gain, and nowhere
    else."""
    ratios = torch.tensor([1.5, 1.1, 0.5, 1.5, 0.9, 0.5])
    advantages = torch.tensor([1.0, 1.0, 1.0, -1.0, -1.0, -1.0])
    moves = [False, True, True, True, True, False]
    drawn = torch.full((6, 1), -2.0)
    log_probs = (drawn + ratios.log()[:, None]).requires_grad_()
    gains = rules.ppo(log_probs, drawn, advantages, 0.2)
    (gradient,) = torch.autograd.grad(gains.sum(), log_probs)
    expected = torch.where(torch.tensor(moves), ratios * advantages, torch.zeros(6))[:, None]
    passed = torch.allclose(gradient, expected, atol=1e-5)
    return Check(
        "clipping binds where it should",
        passed,
        f"{sum(moves)} of 6 ratios should move; exact: {passed}",
    )


@torch.no_grad()
def check_entropy(rules: LearningRules) -> Check:
    """Every row's entropy is that of the whole softmax, and its mean is the entropy of the
    enumerated space."""
    single, options, _ = _enumerated((6,))
    rows = rules.entropy(single.log_distributions(options), options)
    first = single.log_distributions(options)[0, 0]
    worst = float((rows + (first.exp() * first).sum()).abs().max())
    policy, every, _ = _enumerated()
    distributions = policy.log_distributions(every)
    logs = log_probs_of(distributions, every).sum(1)
    whole = float(
        (logs.exp() * rules.entropy(distributions, every)).sum() + (logs.exp() * logs).sum()
    )
    detail = f"single softmax off by {worst:.1e}, whole space by {abs(whole):.1e} nats"
    return Check("entropy of the full distribution", worst < 1e-4 and abs(whole) < 1e-4, detail)


# --------------------------------------------------------------------------------------- learning,
# and its control


def check_bandits(rules: LearningRules) -> Check:
    """Both algorithms come to prefer the best architecture of landscapes whose optimum is known."""
    reached = []
    for seed, target in enumerate(((1, 2, 3), (3, 0, 4), (0, 1, 0))):
        for algorithm in ("ppo", "reinforce"):
            strategy = _taught(
                rules, _share_of_hits(target), trials=400, seed=seed, algorithm=algorithm
            )
            reached.append(
                (_likeliest(strategy) == target, _expected(strategy, _share_of_hits(target)))
            )
    found, lowest = sum(hit for hit, _ in reached), min(expected for _, expected in reached)
    detail = f"best arm found {found} of {len(reached)} times, lowest expected score {lowest:.2f}"
    return Check("finds the best arm", found == len(reached) and lowest > 0.7, detail)


def check_shuffled_scores(rules: LearningRules) -> Check:
    """Negative control: scores of other architectures, dealt out at random, teach nothing on
    average over targets.

    Shuffling within a batch would not do: one in ten would get its own score back, and the
    controller learns from that.
    """
    gains = []
    for seed in range(CONTROLS):
        score = _share_of_hits(numpy_rng(seed, "selftest", "target").integers(0, COUNTS).tolist())
        untaught = _expected(_strategy(rules, seed), score)
        gains.append(
            _expected(_taught(rules, score, trials=200, seed=seed, shuffled=True), score) - untaught
        )
    mean, error = float(np.mean(gains)), float(np.std(gains)) / CONTROLS**0.5
    detail = f"expected score moved by {mean:+.3f}, standard error {error:.3f}"
    return Check(
        "learns nothing from shuffled scores", abs(mean) < max(0.1, 3 * error) < 0.3, detail
    )


# ------------------------------------------------------------------ the parts

Score = Callable[[Sequence[int]], float]


def _share_of_hits(target: Sequence[int]) -> Score:
    return lambda choices: float(
        np.mean([choice == best for choice, best in zip(choices, target, strict=True)])
    )


def _enumerated(counts: Sequence[int] = COUNTS, seed: int = 0) -> tuple[Policy, Tensor, np.ndarray]:
    """An uneven policy, every architecture (N, T), and a score for each that no decision explains
    alone."""
    policy = Policy(counts, PLAIN, torch_rng(seed, "selftest", "policy"))
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(4)
    every = torch.cartesian_prod(*(torch.arange(count) for count in counts)).reshape(
        -1, len(counts)
    )
    return policy, every, numpy_rng(0, "selftest", "scores").random(len(every))


def _exact_gradient(policy: Policy, every: Tensor, scores: np.ndarray) -> Tensor:
    probabilities = log_probs_of(policy.log_distributions(every), every).sum(1).exp()
    return _gradient(policy, (probabilities * torch.tensor(scores, dtype=torch.float32)).sum())


def _sampled_gradient(
    rules: LearningRules,
    policy: Policy,
    value: dict[tuple[int, ...], float],
    size: int,
    repeat: int,
) -> Tensor:
    rng = numpy_rng(repeat, "selftest", size)
    noise = rng.gumbel(size=(size, len(COUNTS), max(COUNTS))).astype(np.float32)
    choices, _ = policy.sample(torch.from_numpy(noise))
    scores = np.array([value[tuple(row)] for row in choices.tolist()])
    advantages = torch.cat(
        [_advantages(rules, scores[first : first + 20]) for first in range(0, size, 20)]
    )
    log_probs = log_probs_of(policy.log_distributions(choices), choices)
    return _gradient(policy, rules.ppo(log_probs, log_probs.detach(), advantages, NO_CLIP).mean())


def _advantages(rules: LearningRules, scores: np.ndarray) -> Tensor:
    advantages, _ = rules.judge(scores, scores, BASELINE, PLAIN)
    return torch.tensor(advantages, dtype=torch.float32)


def _gains(
    rules: LearningRules, name: str, log_probs: Tensor, drawn: Tensor, advantages: Tensor
) -> Tensor:
    return (
        rules.reinforce(log_probs, advantages)
        if name == "reinforce"
        else rules.ppo(log_probs, drawn, advantages, 0.2)
    )


def _gradient(policy: Policy, value: Tensor) -> Tensor:
    return _flat(torch.autograd.grad(value, list(policy.parameters()), materialize_grads=True))


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def _error(gradient: Tensor, wanted: Tensor) -> float:
    return float((gradient - wanted).norm() / wanted.norm())


def _strategy(rules: LearningRules, seed: int, **options: object) -> BatchLearner:
    settings = settings_from("plain", {"redraws": 0, "learning_rate": 0.01, **options})
    assert isinstance(settings, Settings)
    strategy = BatchLearner(PlainSpace.of(*COUNTS), seed, settings)
    strategy.rules = rules
    return strategy


def _taught(
    rules: LearningRules,
    score: Score,
    trials: int,
    seed: int,
    *,
    shuffled: bool = False,
    **options: object,
) -> BatchLearner:
    """A controller after so many trials; `shuffled` deals out the scores of other architectures."""
    strategy = _strategy(rules, seed, **options)
    size = strategy.settings.batch
    for first in range(0, trials, size):
        drawn = [strategy.ask(number) for number in range(first, first + size)]
        judged = [strategy.space.encode(proposal.genotype) for proposal in drawn]
        if shuffled:
            judged = (
                numpy_rng(seed, "selftest", "shuffle", first)
                .integers(0, COUNTS, (size, len(COUNTS)))
                .tolist()
            )
        scores = np.array([score(choices) for choices in judged])
        for offset, (proposal, value) in enumerate(zip(drawn, scores.tolist(), strict=True)):
            strategy.tell(
                Trial(first + offset, proposal.genotype, 0, proposal.notes), Evaluation(value)
            )
    return strategy


def _batch_of(strategy: BatchLearner, score: Score) -> Batch:
    """The first batch of a controller, with its log-probabilities as they stand in the notes."""
    drawn = [strategy.ask(number) for number in range(strategy.settings.batch)]
    choices = [strategy.space.encode(proposal.genotype) for proposal in drawn]
    return Batch(
        choices=torch.tensor(choices),
        drawn=torch.tensor([proposal.notes["log_probs"] for proposal in drawn]),
        advantages=_advantages(strategy.rules, np.array([score(row) for row in choices])),
        imitated=torch.empty(0, len(COUNTS), dtype=torch.int64),
    )


def _probabilities(strategy: BatchLearner) -> tuple[Tensor, Tensor]:
    _, every, _ = _enumerated()
    with alone(), torch.no_grad():
        return every, log_probs_of(strategy.policy.log_distributions(every), every).sum(1).exp()


def _expected(strategy: BatchLearner, score: Score) -> float:
    every, probabilities = _probabilities(strategy)
    return math.fsum(
        p * score(row) for row, p in zip(every.tolist(), probabilities.tolist(), strict=True)
    )


def _likeliest(strategy: BatchLearner) -> tuple[int, ...]:
    every, probabilities = _probabilities(strategy)
    return tuple(every[int(probabilities.argmax())].tolist())


FORMULAS: tuple[Callable[[LearningRules], Check], ...] = (
    check_exact_gradient,
    check_sampled_gradient,
    check_late_results,
    check_ppo_is_reinforce,
    check_clipping,
    check_entropy,
)
CHECKS = (check_determinism, *FORMULAS, check_bandits, check_shuffled_scores)
