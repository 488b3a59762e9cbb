"""Proof that the critic is right, and what it teaches: by direct solutions and controls."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nas.contracts import Evaluation, Trial
from nas.seeding import numpy_rng, torch_rng
from nas.strategies.controller.check import Check
from nas.strategies.controller.gaussian_process import (
    COUNTS_WEIGHT,
    HAMMING_LENGTH,
    NOISE,
    Belief,
    Kernel,
    log_expected_improvement,
    normal_scores,
)
from nas.strategies.controller.plain_space import PlainSpace
from nas.strategies.controller.policy import Policy, alone, log_probs_of
from nas.strategies.controller.recurrence import Draw
from nas.strategies.controller.settings import CriticSettings
from nas.strategies.policy_gradient import ImaginedRules, PolicyGradient, imagined_loss
from search_spaces.cells.space import SearchSpace
from search_spaces.nasbench201 import Nasbench201Space

COUNTS = (4, 3, 5)
TARGETS = ((1, 2, 3), (3, 0, 4), (0, 1, 0))
CONTROLS = 12


# --------------------------------------------------------------------------------------------------
# ------- formulas


def check_posterior(rules: ImaginedRules) -> Check:
    """Mean and deviation are those of a direct solution, with the kernel in plain loops."""
    space, rng = PlainSpace.of(3, 3, 2, 5), numpy_rng(0, "selftest", "posterior")
    rows = torch.tensor(rng.integers(0, space.counts, (30, 4)))
    scores = torch.tensor(rng.standard_normal(30))
    belief = rules.fit(Kernel(space), rows[:20], scores[:20])(rows)
    targets = normal_scores(scores[:20]).numpy()
    every = np.array(
        [[_alike(space, one, other) for other in rows.tolist()] for one in rows.tolist()]
    )
    inverse = np.linalg.inv(every[:20, :20] + NOISE * np.eye(20))
    mean = every[:, :20] @ inverse @ targets
    left = 1 - np.einsum("ij,jk,ik->i", every[:, :20], inverse, every[:, :20])
    deviation = np.sqrt(targets @ inverse @ targets / 20) * np.sqrt(left)
    worst = max(
        float(np.abs(belief.mean.numpy() - mean).max()),
        float(np.abs(belief.deviation.numpy() - deviation).max()),
    )
    return Check(
        "posterior of the critic", worst < 1e-5, f"off by {worst:.1e} from a direct solution"
    )


def check_expected_improvement(rules: ImaginedRules) -> Check:
    """The closed form is the integral over the normal distribution, near the best and far."""
    del rules
    worst = 0.0
    for gap in (-9.0, -4.0, -1.0, -0.99, 0.0, 2.0):
        deviation, best = 0.7, 0.4
        steps = np.linspace(-gap, max(0.0, -gap) + 12, 400_001)
        density = np.exp(-0.5 * steps**2) / math.sqrt(2 * math.pi)
        integral = float(np.trapezoid(deviation * (steps + gap) * density, steps))
        belief = Belief(
            torch.tensor([best + gap * deviation]).double(), torch.tensor([deviation]).double()
        )
        worst = max(worst, abs(float(log_expected_improvement(belief, best)) - math.log(integral)))
    return Check(
        "expected improvement",
        worst < 1e-5,
        f"its logarithm is off by {worst:.1e} from the integral",
    )


def check_imagined_gradient(rules: ImaginedRules) -> Check:
    """Summed over all architectures, a step goes along the gradient of the expected rank."""
    policy, every = _enumerated()
    values = torch.tensor(numpy_rng(0, "selftest", "values").random(len(every)))
    advantages = rules.ranks(values)
    log_probs = log_probs_of(policy.drawn_distributions(_drawn(policy, every)), every)
    weights = log_probs.detach().sum(1).exp()
    found = _gradient(policy, (weights * rules.gains(log_probs, advantages)).sum())
    places = np.argsort(np.argsort(values.numpy()))
    wanted_ranks = torch.tensor((2 * places + 1) / len(places) - 1).float() * 3**0.5
    probabilities = log_probs_of(policy.log_distributions(every), every).sum(1).exp()
    wanted = _gradient(policy, (probabilities * wanted_ranks).sum())
    error = float((found - wanted).norm() / wanted.norm())
    return Check("exact gradient of the imagined step", error < 1e-3, f"off by {error:.1e}")


def check_imagined_entropy(rules: ImaginedRules) -> Check:
    """Where all draws are worth the same, a step is the gradient of their entropy."""
    policy, every = _enumerated()
    draw = _drawn(policy, every)
    loss, _ = imagined_loss(policy, draw, torch.zeros(len(every)), 0.5, rules)
    logs = policy.log_distributions(every)
    wanted = _gradient(policy, 0.5 * (logs.exp() * logs).sum(-1).sum(0).mean())
    error = float((_gradient(policy, loss) - wanted).norm() / wanted.norm())
    return Check("entropy in the imagined step", error < 1e-3, f"off by {error:.1e}")


def check_generalisation(rules: ImaginedRules) -> Check:
    """Told some architectures, the critic puts others in their true order."""
    space, rng = PlainSpace.of(*COUNTS, 4, 4), numpy_rng(0, "selftest", "order")
    rows = torch.tensor(rng.integers(0, space.counts, (160, 5)))
    worth = [rng.standard_normal(count) for count in space.counts]
    scores = torch.tensor(
        [sum(w[c] for w, c in zip(worth, row, strict=True)) for row in rows.tolist()]
    )
    mean = rules.fit(Kernel(space), rows[:80], scores[:80]).mean(rows[80:])
    found = float(np.corrcoef(mean.numpy(), normal_scores(scores[80:]).numpy())[0, 1])
    return Check(
        "the critic foresees", found > 0.7, f"correlation {found:.2f} with what it was not told"
    )


# --------------------------------------------------------------------------------------- learning,
# and its controls


def check_determinism(rules: ImaginedRules) -> Check:
    """Twice the same, on one thread as on two, and nothing of the process is changed."""
    before = torch.get_num_threads(), torch.get_rng_state()
    try:
        weights = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            strategy = _taught(
                rules, PlainSpace.of(*COUNTS), _share_of_hits(TARGETS[0]), 24, seed=5
            )
            weights.append(
                torch.cat([weight.detach().flatten() for weight in strategy.policy.parameters()])
            )
            kept = torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before[0])
    same = bool(torch.equal(*weights))
    untouched = bool(torch.equal(before[1], torch.get_rng_state())) and kept
    detail = (
        f"two runs equal to the bit: {same}; threads and global generator untouched: {untouched}"
    )
    return Check("deterministic with a critic", same and untouched, detail)


def check_new_keys(rules: ImaginedRules) -> Check:
    """Where many choices are one network, every proposal is a network not tried before."""
    space, keys = Nasbench201Space(), set[str]()
    strategy = PolicyGradient(space, 0, hidden=16, uniform=64)
    strategy.rules = rules
    for number in range(60):
        proposal = strategy.ask(number)
        keys.add(proposal.genotype.key)
        score = float(sum(choice != 0 for choice in space.encode(proposal.genotype)))
        strategy.tell(Trial(number, proposal.genotype, 0), Evaluation(score))
    return Check("candidates are new by key", len(keys) == 60, f"{len(keys)} networks in 60 trials")


def check_in_flight(rules: ImaginedRules) -> Check:
    """Sixteen proposals before the next result are sixteen different ones."""
    different = []
    for told in (0, 20):
        strategy = _taught(rules, PlainSpace.of(4, 3, 5, 4), _share_of_hits((1, 2, 3, 0)), told, 1)
        asked = [strategy.ask(number) for number in range(told, told + 16)]
        different.append(len({proposal.genotype.key for proposal in asked}))
    return Check(
        "what is in flight is counted",
        different == [16, 16],
        f"{different[0]} of the first 16 differ, {different[1]} of 16 after 20 trials",
    )


def check_foresight(rules: ImaginedRules) -> Check:
    """Foresight comes before the score is heard: high on a landscape, none on noise."""
    noise = numpy_rng(0, "selftest", "noise").standard_normal(1_000).tolist()
    space = PlainSpace.of(4, 3, 5, 4, 4)
    real = _taught(rules, space, _share_of_hits((1, 2, 3, 0, 0)), 45, seed=2)
    blind = _taught(rules, space, lambda _: noise.pop(), 100, seed=2)
    seen, unseen = (
        float(strategy.diagnostics()[-1]["critic_correlation"]) for strategy in (real, blind)
    )
    passed = seen > 0.2 and abs(unseen) < 0.3
    return Check(
        "foresight is one step ahead", passed, f"{seen:.2f} on a landscape, {unseen:.2f} on noise"
    )


def check_best_arms(rules: ImaginedRules) -> Check:
    """In 40 trials it finds the best of 60 architectures, on three landscapes."""
    found = []
    for seed, target in enumerate(TARGETS):
        strategy = _taught(rules, PlainSpace.of(*COUNTS), _share_of_hits(target), 40, seed=seed)
        _, scores = strategy.past.tensors()
        found.append(float(scores.max()) == 1)
    return Check(
        "finds the best arm with a critic", all(found), f"{sum(found)} of {len(found)} in 40 trials"
    )


def check_random_scores(rules: ImaginedRules) -> Check:
    """Negative control: scores that are noise move the expected score nowhere on average."""
    gains = []
    for seed in range(CONTROLS):
        rng = numpy_rng(seed, "selftest", "critic", "control")
        score = _share_of_hits(tuple(rng.integers(0, COUNTS).tolist()))
        space = PlainSpace.of(*COUNTS)
        before = _expected(_taught(rules, space, score, 0, seed), score)
        taught = _taught(rules, space, _noise(rng), 40, seed)
        gains.append(_expected(taught, score) - before)
    mean, error = float(np.mean(gains)), float(np.std(gains)) / CONTROLS**0.5
    detail = f"expected score moved by {mean:+.3f}, standard error {error:.3f}"
    return Check("noise teaches nothing", abs(mean) < max(0.05, 3 * error) < 0.3, detail)


# --------------------------------------------------------------------------------------------------
# ----- the parts

Score = Callable[[tuple[int, ...]], float]


def _alike(space: SearchSpace, one: list[int], other: list[int]) -> float:
    """The kernel of two architectures, as docs/controller.md writes it down."""
    decisions = len(space.counts)
    hamming = sum(a != b for a, b in zip(one, other, strict=True))
    apart = 0
    for options in {decision.options for decision in space.decisions}:
        members = [i for i, decision in enumerate(space.decisions) if decision.options == options]
        for option in range(len(options)):
            apart += (
                sum(one[i] == option for i in members) - sum(other[i] == option for i in members)
            ) ** 2
    return 0.5 * math.exp(-hamming / (HAMMING_LENGTH * decisions)) + 0.5 * math.exp(
        -COUNTS_WEIGHT * apart / decisions
    )


def _share_of_hits(target: tuple[int, ...]) -> Score:
    return lambda choices: float(np.mean([a == b for a, b in zip(choices, target, strict=True)]))


def _noise(rng: np.random.Generator) -> Score:
    return lambda _: float(rng.random())


def _enumerated() -> tuple[Policy, Tensor]:
    """An uneven policy, and every architecture (N, T)."""
    policy = Policy(COUNTS, CriticSettings(hidden=32), torch_rng(0, "selftest", "policy"))
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(4)
    return policy, torch.cartesian_prod(*(torch.arange(count) for count in COUNTS))


def _drawn(policy: Policy, every: Tensor) -> Draw:
    """These architectures, as if by chance."""
    return policy.draw(1e6 * torch.nn.functional.one_hot(every, max(COUNTS)).float())


def _gradient(policy: Policy, value: Tensor) -> Tensor:
    found = torch.autograd.grad(value, list(policy.parameters()), materialize_grads=True)
    return torch.cat([tensor.detach().flatten() for tensor in found])


def _taught(
    rules: ImaginedRules, space: SearchSpace, score: Score, trials: int, seed: int
) -> PolicyGradient:
    """A controller after so many trials."""
    strategy = PolicyGradient(space, seed, hidden=16, uniform=64, learning_rate=0.01)
    strategy.rules = rules
    for number in range(trials):
        proposal = strategy.ask(number)
        value = score(space.encode(proposal.genotype))
        strategy.tell(Trial(number, proposal.genotype, 0), Evaluation(value))
    return strategy


def _expected(strategy: PolicyGradient, score: Score) -> float:
    _, every = _enumerated()
    with alone(), torch.no_grad():
        logs = log_probs_of(strategy.policy.log_distributions(every), every).sum(1)
    scored = [score(tuple(row)) for row in every.tolist()]
    return math.fsum(p * s for p, s in zip(logs.exp().tolist(), scored, strict=True))


FORMULAS: tuple[Callable[[ImaginedRules], Check], ...] = (
    check_posterior,
    check_expected_improvement,
    check_imagined_gradient,
    check_imagined_entropy,
    check_generalisation,
)
CHECKS = (
    *FORMULAS,
    check_determinism,
    check_new_keys,
    check_in_flight,
    check_foresight,
    check_best_arms,
    check_random_scores,
)
