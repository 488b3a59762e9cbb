"""The critic: a Gaussian process says how good an architecture will be, and how sure that is.

It sees ranks, not scores, so unit, outliers and a diverged child do not matter; nothing in it is
fitted but the scale. Distances between architectures are whole numbers, so the kernel is the same
to the bit however many are compared at once. What is known of earlier trials is kept while it
holds, and equal pasts give equal bits whether it was kept or made anew.
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
CRITIC_VERSION = 3  # a study that was begun with another one would not continue exactly
CHOSEN_EVERY = 32  # trials after which it chooses anew what it looks at
_BEST = _LAST = 150  # trials it chooses, where there are more
_LEAST_DEVIATION = 1e-6
_LEAST_SHARE, _MOST_NOISE = 1e-3, 10.0
_ENOUGH = 5  # degrees of freedom, for an estimate of the noise to be better than none


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
        different = steps[: len(counts) + 1].flip(0)
        by_equal = 0.5 * torch.exp(-different / (HAMMING_LENGTH * open_decisions))
        by_counts = 0.5 * torch.exp(-COUNTS_WEIGHT * steps / open_decisions)
        self._by_equal, self._by_counts = by_equal.float(), by_counts.float()

    def features(self, choices: Tensor) -> Features:
        """One-hot answers of architectures (N, T), and how often they use each option."""
        answers = torch.zeros(len(choices), self._width)
        answers.scatter_(1, choices + self._offsets, 1.0)
        uses = answers @ self._groups
        return Features(answers, uses, uses.square().sum(1))

    def __call__(self, one: Features, other: Features) -> Tensor:
        """The matrix (N, M): sums of whole numbers, exact in any order, then looked up."""
        equal = one.answers @ other.answers.T
        apart = torch.addmm(other.length, one.uses, other.uses.T, alpha=-2).add_(
            one.length[:, None]
        )
        found = self._by_equal.index_select(0, equal.int().view(-1))
        found += self._by_counts.index_select(0, apart.int().view(-1))
        return found.view(equal.shape)


class Features(NamedTuple):
    """What the kernel compares: rows of whole numbers."""

    answers: Tensor  # (N, all options of all decisions)
    uses: Tensor  # (N, all options of all groups of decisions)
    length: Tensor  # of the uses, squared (N,)

    def rows(self, first: int, end: int) -> Features:
        """Some of them."""
        return Features(*(each[first:end] for each in self))


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


class Root(NamedTuple):
    """The inverse of the lower triangle whose square is the covariance of trials, noise included.

    With the inverse in place of the triangle, what a new trial changes is a row, and what the
    critic thinks of an architecture is a product.
    """

    seen: Features
    inverse: Tensor  # (N, N), lower triangle

    @classmethod
    def of(cls, kernel: Kernel, seen: Features, noise: float) -> Root:
        """Of all trials at once."""
        covariance = kernel(seen, seen).double()
        covariance.diagonal().add_(noise)
        one = torch.eye(len(covariance), dtype=torch.float64)
        root = torch.linalg.cholesky(covariance)
        return cls(seen, torch.linalg.solve_triangular(root, one, upper=False).contiguous())

    def extended(self, kernel: Kernel, coming: Features, noise: float) -> Root:
        """With more trials, one after the other, so that it does not matter how many at a time."""
        seen, inverse = self
        for row in range(len(coming.answers)):
            new = coming.rows(row, row + 1)
            across = inverse @ kernel(seen, new)[:, 0].double()
            corner = (1 + noise - across @ across).sqrt()
            larger = torch.nn.functional.pad(inverse, (0, 1, 0, 1))
            larger[-1, :-1] = -(across @ inverse) / corner
            larger[-1, -1] = 1 / corner
            inverse = larger
            seen = Features(*map(torch.cat, zip(seen, new, strict=True)))
        return Root(seen, inverse)


class Ground(NamedTuple):
    """Which trials a critic looks at. Beyond 300 the best and the last are chosen anew after every
    32 trials; those that came since are looked at too."""

    chosen: int  # after so many trials
    kept: Tensor  # numbers of trials, rising
    noise: float

    def continues(self, earlier: Ground) -> bool:
        """Whether this is the earlier one and what came since."""
        return (self.chosen, self.noise) == (earlier.chosen, earlier.noise) and torch.equal(
            self.kept[: len(earlier.kept)], earlier.kept
        )

    def rows(self, told: int) -> int:
        """How many of them are among the first `told` trials."""
        return int((self.kept < told).sum())


@final
@dataclass(frozen=True, slots=True)
class Critic:
    """A Gaussian process on the normal scores of trials: a pure function of these, in order."""

    kernel: Kernel
    ground: Ground
    root: Root
    judging: Tensor  # the inverse of the root in single precision, which is enough to judge by
    weights: Tensor  # (N,), likewise
    scale: float
    best: float
    pace: Tensor | None = None  # weights (N,) of the logarithm of seconds, where these count

    @property
    def told(self) -> int:
        """How many trials it has heard of."""
        return int(self.ground.kept[-1]) + 1

    def mean(self, choices: Tensor) -> Tensor:
        """The expected normal score of each architecture (N, T)."""
        return self._across(choices) @ self.weights

    def slowness(self, choices: Tensor) -> Tensor | None:
        """The expected logarithm of each architecture's seconds, from the mean of all trials; None
        where seconds do not count."""
        return None if self.pace is None else (self._across(choices) @ self.pace).double()

    def __call__(self, choices: Tensor) -> Belief:
        """Mean and deviation of the true normal score, that is without the noise of a trial."""
        across = self._across(choices)
        explained = (across @ self.judging.T).square().sum(1)
        return self.belief(across @ self.weights, explained)

    def belief(self, mean: Tensor, explained: Tensor) -> Belief:
        """The same, from the mean and the share of the variance that the trials explain."""
        deviation = self.scale * (1 - explained.double()).clamp(min=0).sqrt()
        return Belief(mean.double(), deviation.clamp(min=_LEAST_DEVIATION))

    def _across(self, choices: Tensor) -> Tensor:
        return self.kernel(self.kernel.features(choices), self.root.seen)


def fit(
    kernel: Kernel,
    choices: Tensor,
    scores: Tensor,
    noise: float = NOISE,
    before: Critic | None = None,
    seconds: Tensor | None = None,
) -> Critic:
    """The critic of these trials: choices (N, T) and their scores (N,), oldest first.

    Args:
        noise: the variance of a score, as a share of that of the architectures.
        before: the critic of the first of these trials; what can be taken from it is, and no bit is
            another then.
        seconds: what each took (N,), where seconds count; 0 where that is not known.
    """
    chosen = len(scores) - len(scores) % CHOSEN_EVERY
    kept = torch.cat([_remembered(scores[:chosen]), torch.arange(chosen, len(scores))])
    ground = Ground(chosen, kept, noise)
    if before is not None and ground.continues(before.ground):
        root = before.root
    else:
        root = Root.of(kernel, kernel.features(choices[kept[: ground.rows(chosen)]]), noise)
    coming = kernel.features(choices[kept[len(root.inverse) :]])
    root = root.extended(kernel, coming, noise)

    targets = normal_scores(scores[kept])
    weights = (root.inverse @ targets) @ root.inverse
    scale = max(float(targets @ weights) / len(kept), _LEAST_DEVIATION**2) ** 0.5
    judging = root.inverse.float(), weights.float()
    pace = None if seconds is None else _pace(root, seconds[kept])
    return Critic(kernel, ground, root, *judging, scale, float(targets.max()), pace)


def _pace(root: Root, seconds: Tensor) -> Tensor:
    """The weights of a second process, which has the kernel and the noise of the first."""
    known = seconds > 0
    logarithms = torch.where(known, seconds, 1.0).double().log()
    mean = logarithms.sum() / known.sum().clamp(min=1)
    apart = torch.where(known, logarithms - mean, 0.0)
    return ((root.inverse @ apart) @ root.inverse).float()


@final
class Imagined:
    """Architectures that one critic after the other judges: what it knew already stays.

    Args:
        choices: the architectures (N, T).
        told: how many trials had been told when they were drawn. What these say is worked out at
            once, what later ones say one after the other, whenever they are judged first.
    """

    def __init__(self, choices: Tensor, told: int) -> None:
        self.choices = choices
        self._told = told
        self._ground: Ground | None = None

    def by(self, critic: Critic) -> Belief:
        """What this critic thinks of them."""
        kernel, ground, seen, inverse = (
            critic.kernel,
            critic.ground,
            critic.root.seen,
            critic.judging,
        )
        if self._ground is None or not ground.continues(self._ground):
            rows = ground.rows(self._told)
            self._features = kernel.features(self.choices)
            self._first = kernel(seen.rows(0, rows), self._features)
            self._later = self._first[:0]
            whole = inverse[:rows, :rows].contiguous() @ self._first
            self._explained = whole.square().sum(0)
        for row in range(len(self._first) + len(self._later), len(inverse)):
            new = kernel(seen.rows(row, row + 1), self._features)
            self._later = torch.cat([self._later, new])
            self._explained += self._weighed(inverse[row, : row + 1].clone()).square()
        self._ground = ground
        return critic.belief(self._weighed(critic.weights), self._explained)

    def slowness(self, critic: Critic) -> Tensor | None:
        """What this critic, which has just judged them, expects of their seconds."""
        return None if critic.pace is None else self._weighed(critic.pace).double()

    def _weighed(self, weights: Tensor) -> Tensor:
        """The weighted sum of the kernel with all trials (N,)."""
        first = len(self._first)
        return weights[:first] @ self._first + weights[first:] @ self._later


class Repeats(NamedTuple):
    """What architectures that were judged more than once say of the noise of a score."""

    squares: float = 0.0  # summed, about the mean of each
    freedom: int = 0  # degrees of it


NO_REPEATS = Repeats()


def noise_of(scores: Tensor, errors: Tensor, repeats: Repeats = NO_REPEATS) -> float:
    """The share that repeats show: the mean square of the standard errors of scores (N,), NaN where
    a trial has none, and of what scores of one architecture differ by, against what is left of the
    variance of all scores (N,).

    Pooled, because the spread of three seeds says little of a single trial. Where fewer than five
    degrees of freedom speak, it is taken to be a tenth.
    """
    known = errors[~errors.isnan()].double().square()
    count = len(known) + repeats.freedom
    if count < _ENOUGH:
        return NOISE
    total = float(scores.double().var(unbiased=False))
    noise = float(known.mean()) if not repeats.freedom else _pooled(known, repeats)
    if not (0.0 < total < math.inf) or math.isnan(noise):
        return NOISE
    return min(max(noise / max(total - noise, _LEAST_SHARE * total), _LEAST_SHARE), _MOST_NOISE)


def _pooled(known: Tensor, repeats: Repeats) -> float:
    return (float(known.sum()) + repeats.squares) / (len(known) + repeats.freedom)


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
