"""The critic: a Gaussian process says how good an architecture will be, and how sure that is.

It sees ranks, not scores, so unit, outliers and a diverged child do not matter; nothing in it is
fitted but the scale. Distances between architectures are whole numbers, so equal pasts give equal
bits, whatever the order of the arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, final

import torch
from torch import Tensor

if TYPE_CHECKING:
    from search_spaces.cells.space import SearchSpace

NOISE = 0.1  # variance of a score, as a share of that of the architectures
HAMMING_LENGTH = 0.4  # of the number of decisions
COUNTS_WEIGHT = 0.75
_BEST = _LAST = 150  # trials it looks at, where there are more
_LEAST_DEVIATION = 1e-6
_LEAST_SHARE, _MOST_NOISE = 1e-3, 10.0


class Belief(NamedTuple):
    """What the critic thinks of some architectures, in normal scores."""

    mean: Tensor  # (N,)
    deviation: Tensor  # (N,)


@final
class Kernel:
    """How alike two architectures are, from 0 to 1.

    Half of it is the share of decisions answered alike, half how often each option is used among
    decisions with the
    same options: the second half knows that a cell with three convolutions is like another with
    three elsewhere.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.counts = counts = space.counts
        self._offsets = torch.tensor([sum(counts[:index]) for index in range(len(counts))])
        self._width = sum(counts)
        self._groups = _groups(space)
        open_decisions = max(1, sum(count > 1 for count in counts))
        steps = torch.arange(2 * len(counts) ** 2 + 1, dtype=torch.float64)
        self._by_hamming = 0.5 * torch.exp(
            -steps[: len(counts) + 1] / (HAMMING_LENGTH * open_decisions)
        )
        self._by_counts = 0.5 * torch.exp(-COUNTS_WEIGHT * steps / open_decisions)

    def features(self, choices: Tensor) -> Features:
        """One-hot answers of architectures (N, T), and how often they use each option."""
        answers = torch.zeros(len(choices), self._width)
        answers.scatter_(1, choices + self._offsets, 1.0)
        return Features(answers, answers @ self._groups)

    def __call__(self, one: Features, other: Features) -> Tensor:
        """The matrix (N, M): sums of whole numbers, exact in any order, then looked up."""
        decisions = len(self._offsets)
        hamming = decisions - one.answers @ other.answers.T
        mine, theirs = one.uses.square().sum(1), other.uses.square().sum(1)
        apart = mine[:, None] + theirs - 2 * (one.uses @ other.uses.T)
        return self._by_hamming[hamming.long()] + self._by_counts[apart.long()]


class Features(NamedTuple):
    """What the kernel compares: rows of whole numbers."""

    answers: Tensor  # (N, all options of all decisions)
    uses: Tensor  # (N, all options of all groups of decisions)


def _groups(space: SearchSpace) -> Tensor:
    """Which column of the uses each answer counts in."""
    columns: dict[tuple[tuple[int | str, ...], int], int] = {}
    places = [
        columns.setdefault((decision.options, option), len(columns))
        for decision in space.decisions
        for option in range(len(decision.options))
    ]
    matrix = torch.zeros(len(places), len(columns))
    matrix[torch.arange(len(places)), torch.tensor(places)] = 1.0
    return matrix


def normal_scores(scores: Tensor) -> Tensor:
    """Ranks as quantiles of a normal distribution; equal scores share the middle of theirs."""
    ordered = scores.sort().values
    below = torch.searchsorted(ordered, scores, right=False)
    upto = torch.searchsorted(ordered, scores, right=True)
    quantiles: Tensor = torch.special.ndtri((below + upto).double() / (2 * len(scores)))
    return quantiles


@final
@dataclass(frozen=True, slots=True)
class Critic:
    """A Gaussian process on the normal scores of trials: a pure function of these, in order."""

    kernel: Kernel
    seen: Features
    root: Tensor  # lower triangle, (N, N)
    weights: Tensor  # (N,)
    scale: float
    best: float
    noise: float = NOISE

    def mean(self, choices: Tensor) -> Tensor:
        """The expected normal score of each architecture (N, T)."""
        return self._across(choices) @ self.weights

    def __call__(self, choices: Tensor) -> Belief:
        """Mean and deviation of the true normal score, that is without the noise of a trial."""
        across = self._across(choices)
        explained = torch.linalg.solve_triangular(self.root, across.T, upper=False).square().sum(0)
        deviation = self.scale * (1 - explained).clamp(min=0).sqrt()
        return Belief(across @ self.weights, deviation.clamp(min=_LEAST_DEVIATION))

    def expecting(self, choices: Tensor) -> Critic:
        """After trials (N, T) bring just what it expects of them: means stay, doubt shrinks."""
        coming = self.kernel.features(choices)
        corner = torch.linalg.solve_triangular(
            self.root, self.kernel(self.seen, coming), upper=False
        )
        rest = self.kernel(coming, coming) - corner.T @ corner
        rest.diagonal().add_(self.noise)
        above = torch.cat([self.root, torch.zeros_like(corner)], 1)
        below = torch.cat([corner.T, torch.linalg.cholesky(rest)], 1)
        return Critic(
            self.kernel,
            Features(*(torch.cat(pair) for pair in zip(self.seen, coming, strict=True))),
            torch.cat([above, below]),
            torch.cat([self.weights, self.weights.new_zeros(len(choices))]),
            self.scale,
            max(self.best, float(self.mean(choices).max())),
            self.noise,
        )

    def _across(self, choices: Tensor) -> Tensor:
        return self.kernel(self.kernel.features(choices), self.seen)


def fit(kernel: Kernel, choices: Tensor, scores: Tensor, noise: float = NOISE) -> Critic:
    """The critic of these trials: choices (N, T) and their scores (N,), oldest first.

    Args:
        noise: the variance of a score, as a share of that of the architectures.
    """
    kept = _remembered(scores)
    seen, targets = kernel.features(choices[kept]), normal_scores(scores[kept])
    covariance = kernel(seen, seen)
    covariance.diagonal().add_(noise)
    root = torch.linalg.cholesky(covariance)
    weights = torch.cholesky_solve(targets[:, None], root)[:, 0]
    scale = max(float(targets @ weights) / len(kept), _LEAST_DEVIATION**2) ** 0.5
    return Critic(kernel, seen, root, weights, scale, float(targets.max()), noise)


def noise_of(scores: Tensor, errors: Tensor) -> float:
    """The share that evaluations with several seeds show: the mean square of their standard errors
    (N,), NaN where a trial has none, against what is left of the variance of all scores (N,).

    Pooled, because the spread of three seeds says little of a single trial. Where no trial has
    one, it is taken to be a tenth.
    """
    known = errors[~errors.isnan()]
    if not len(known):
        return NOISE
    total = float(scores.double().var(unbiased=False))
    if total <= 0.0:
        return NOISE
    noise = float(known.double().square().mean())
    return min(max(noise / max(total - noise, _LEAST_SHARE * total), _LEAST_SHARE), _MOST_NOISE)


def _remembered(scores: Tensor) -> Tensor:
    """The best and the last trials, in order."""
    if len(scores) <= _BEST + _LAST:
        return torch.arange(len(scores))
    old = scores[:-_LAST]
    best = old.argsort(descending=True, stable=True)[:_BEST]
    return torch.cat([best.sort().values, torch.arange(len(old), len(scores))])


def log_expected_improvement(belief: Belief, best: float) -> Tensor:
    """By how much each will beat `best` on average; its logarithm, finite far below it too."""
    gap = ((belief.mean - best) / belief.deviation).clamp(min=-1e4)
    log_density = -0.5 * gap.square() - 0.5 * math.log(2 * math.pi)
    near = (log_density.exp() + gap * torch.special.ndtr(gap)).log()
    tail = gap * math.sqrt(math.pi / 2) * torch.special.erfcx(-gap / math.sqrt(2))
    far = log_density + torch.log1p(tail.clamp(max=0))
    return belief.deviation.log() + torch.where(gap > -1, near, far)
