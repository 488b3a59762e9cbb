"""Several objectives, each with a critic of its own: by how much a candidate should make the front
cover more.

A weighted sum (scalarising.py) looks in one direction at a time and never asks whether the front is
there already. Expected hypervolume improvement does: Emmerich, Giannakoglou and Naujoks, "Single-
and Multiobjective Evolutionary Optimization Assisted by Gaussian Random Field Metamodels" (2006).
Critics see ranks, but a front covers values: what they expect is taken back to the values of
trials, quantile by quantile.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from nas.strategies.controller.candidates import mutants
from nas.strategies.controller.gaussian_process import Belief, fit, normal_scores
from nas.study.front import Front

if TYPE_CHECKING:
    from nas.strategies.controller.gaussian_process import Kernel

_QUANTILES: Final = 16
_TOP: Final = 0.1  # share of trials whose slope goes on beyond the best
_FARTHEST: Final = 10.0  # how far below the median, in units from there to the best, still counts
_MOST: Final = 24  # layers of the third objective
_PARENTS = _CHILDREN = 8


def candidates_for_front(
    kernel: Kernel,
    told: tuple[Tensor, Tensor],
    pool: Tensor,
    children: int,
    rounds: int,
    rng: np.random.Generator,
) -> Tensor:
    """The pool, children of the front, and in rounds those of the most promising; best first.

    Args:
        told: choices (N, T) and objectives (N, M) of the trials so far.
    """
    gain = FrontGain(kernel, *told)
    counts = kernel.counts
    born = mutants(told[0][gain.front], counts, -(-children // len(gain.front)), rng)
    pool = torch.cat([pool, born[torch.from_numpy(rng.permutation(len(born)))][:children]])
    value = gain(pool)
    for _ in range(rounds):
        parents = pool[value.argsort(descending=True, stable=True)[:_PARENTS]]
        born = mutants(parents, counts, _CHILDREN, rng)
        pool, value = torch.cat([pool, born]), torch.cat([value, gain(born)])
    return pool[value.argsort(descending=True, stable=True)]


@final
class FrontGain:
    """By how much candidates should make the front cover more, from the worst told; a pure function
    of the trials told, in order.

    Args:
        choices: of trials (N, T), oldest first.
        points: their objectives (N, M).
    """

    def __init__(self, kernel: Kernel, choices: Tensor, points: Tensor) -> None:
        values = _in_units(points)
        self._critics = [fit(kernel, choices, column.contiguous()) for column in values.T]
        self._scales = [_Scale.of(column.contiguous()) for column in values.T]
        front: Front[int] = Front()
        for place, point in enumerate(values.tolist()):
            front.offer(tuple(point), place)
        self.front = torch.tensor([place for _, place in front.members])
        self._layers = list(_layers(front.points))

    def __call__(self, candidates: Tensor) -> Tensor:
        """The expected gain of each candidate (K, T); (K,)."""
        beliefs = [critic(candidates) for critic in self._critics]
        total = torch.zeros(len(candidates), dtype=torch.float64)
        for layer in self._layers:
            gain = torch.zeros(len(candidates), len(layer.heights), dtype=torch.float64)
            gain += self._between(0, beliefs[0], layer.widths)
            gain *= self._above(1, beliefs[1], layer.heights)
            depth = self._between(2, beliefs[2], layer.depths) if layer.depths else 1.0
            total += (gain * depth).sum(1)
        return total

    def _between(self, objective: int, belief: Belief, ends: Sequence[float]) -> Tensor:
        """How much of each stretch between two ends it should reach (K, ends - 1)."""
        above = self._above(objective, belief, ends)
        return above[:, :-1] - above[:, 1:]

    def _above(self, objective: int, belief: Belief, levels: Sequence[float]) -> Tensor:
        """By how much it should be above each level; (K, levels)."""
        reached = self._scales[objective].values(belief)
        return (
            (reached[:, :, None] - torch.tensor(levels, dtype=torch.float64)).clamp(min=0).mean(1)
        )


class _Layer(NamedTuple):
    """What two objectives cover where the third lies between two depths: steps of a stair.

    Args:
        widths: the ends of the steps in the first objective, rising; the last is infinite.
        heights: the second objective above each step.
        depths: two of the third objective, none where there are two.
    """

    widths: Sequence[float]
    heights: Sequence[float]
    depths: Sequence[float]


def _layers(points: Sequence[tuple[float, ...]]) -> Sequence[_Layer]:
    """What the front leaves uncovered, 0 being the worst that counts."""
    if len(points[0]) == 2:
        return [_stair(points, ())]
    depths = sorted({point[2] for point in points})
    if len(depths) > _MOST:
        depths = [depths[place * (len(depths) - 1) // (_MOST - 1)] for place in range(_MOST)]
    ends = [0.0, *depths, np.inf]
    return [
        _stair([point[:2] for point in points if point[2] >= high], (low, high))
        for low, high in pairwise(ends)
        if low < high
    ]


def _stair(points: Sequence[tuple[float, ...]], depths: Sequence[float]) -> _Layer:
    flat: Front[None] = Front()
    for point in points:
        flat.offer(point, None)
    steps = sorted(flat.points)
    heights = [up for _, up in steps]
    return _Layer([0.0, *(right for right, _ in steps), np.inf], [*heights, 0.0], depths)


@final
class _Scale(NamedTuple):
    """What normal scores of one objective are worth, as its trials say."""

    scores: np.ndarray  # rising
    worths: np.ndarray
    slope: float  # beyond the best

    @classmethod
    def of(cls, values: Tensor) -> _Scale:
        """From the values of all trials (N,)."""
        order = values.argsort(stable=True)
        scores, worths = normal_scores(values)[order].numpy(), values[order].numpy()
        below = -1 - max(1, int(_TOP * len(worths)))
        wide = scores[-1] - scores[below]
        slope = (worths[-1] - worths[below]) / wide if wide > 0 else 0.0
        return cls(scores, worths, float(slope))

    def values(self, belief: Belief) -> Tensor:
        """Quantiles of what is believed, as values; (K, quantiles)."""
        places = (torch.arange(_QUANTILES, dtype=torch.float64) + 0.5) / _QUANTILES
        mean, deviation = belief
        scores = (mean[:, None] + deviation[:, None] * torch.special.ndtri(places)).numpy()
        beyond = np.maximum(0.0, scores - self.scores[-1])
        return torch.from_numpy(np.interp(scores, self.scores, self.worths) + self.slope * beyond)


def _in_units(points: Tensor) -> Tensor:
    """Objectives (N, M) in units from the median to the best, above the worst that counts: one
    child that diverged does not move that."""
    halves = points / 2  # the width of the range of floats is no float
    best, worst, middle = halves.max(0).values, halves.min(0).values, halves.median(0).values
    low = torch.where(middle < best, middle, worst)
    unit = torch.where(low < best, best - low, torch.ones_like(best))
    values = (halves - low) / unit
    return (values - values.min(0).values.clamp(min=-_FARTHEST)).clamp(min=0)
