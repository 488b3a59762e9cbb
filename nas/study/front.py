"""What several objectives amount to: who is dominated, the front, ranks and crowding, how much of
the range a front covers.

Every objective is higher-is-better. Points are tuples of two or three numbers; of equal points the
one that came first stands for both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Generic, TypeVar, final

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, ...]
Scale = tuple[float, float]  # the worst that counts, and what is one unit above it

Owner = TypeVar("Owner")


def dominates(one: Point, other: Point) -> bool:
    """Whether one is as good in every objective and better in some."""
    return one != other and all(mine >= theirs for mine, theirs in zip(one, other, strict=True))


@final
class Front(Generic[Owner]):
    """The points that no other dominates, in the order in which they came, each with what it is
    of."""

    def __init__(self) -> None:
        self.members: list[tuple[Point, Owner]] = []

    def offer(self, point: Point, owner: Owner) -> bool:
        """Whether the point is on the front now; those that it dominates leave."""
        for other, _ in self.members:
            if other == point or dominates(other, point):
                return False
        self.members = [member for member in self.members if not dominates(point, member[0])]
        self.members.append((point, owner))
        return True

    @property
    def points(self) -> list[Point]:
        """The points alone."""
        return [point for point, _ in self.members]


def ranks(points: Sequence[Point]) -> list[int]:
    """The front each point is on: 0 where none dominates it, 1 once those are gone, and so on."""
    values = np.array(points)
    as_good = np.array((values[:, None] >= values).all(-1))
    dominated: NDArray[np.bool_] = as_good & ~as_good.T  # [i, j]: by i is j
    found, left = np.zeros(len(points), dtype=np.int64), np.arange(len(points))
    while len(left):
        behind = dominated[np.ix_(left, left)].any(0)
        found[left[behind]] += 1
        left = left[behind]
    ranked: list[int] = found.tolist()
    return ranked


def crowding(points: Sequence[Point], ranked: Sequence[int]) -> list[float]:
    """How far the neighbours of each point on its front are apart, infinite at its ends.

    After Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II" (2002), section
    III.B.
    """
    distances = [0.0] * len(points)
    for rank in set(ranked):
        front = [index for index in range(len(points)) if ranked[index] == rank]
        for values in zip(*(points[index] for index in front), strict=True):
            ordered = sorted(range(len(front)), key=values.__getitem__)
            width = values[ordered[-1]] - values[ordered[0]]
            distances[front[ordered[0]]] = distances[front[ordered[-1]]] = float("inf")
            if width <= 0:
                continue
            for before, place, after in zip(ordered, ordered[1:], ordered[2:], strict=False):
                distances[front[place]] += (values[after] - values[before]) / width
    return distances


def knee(points: Sequence[Point]) -> int:
    """Which point of a front is nearest to the best of every objective, each scaled to the front's
    own range; of equals the first."""
    columns = list(zip(*points, strict=True))
    lows, highs = [min(column) for column in columns], [max(column) for column in columns]

    def gap(point: Point) -> float:
        axes = zip(point, lows, highs, strict=True)
        shares = [(high - value) / (high - low) for value, low, high in axes if high > low]
        return math.hypot(*shares)

    return min(range(len(points)), key=lambda index: gap(points[index]))


def hypervolume(points: Sequence[Point], scales: Sequence[Scale]) -> float:
    """How much lies between the worst that counts and these points, in units of the scales."""
    scaled = (
        tuple(
            (value - worst) / (best - worst)
            for value, (worst, best) in zip(point, scales, strict=True)
        )
        for point in points
    )
    return _volume([point for point in scaled if min(point) > 0])


def _volume(points: Sequence[Point]) -> float:
    """The volume below some points, cut into slices along the last objective."""
    if not points:
        return 0.0
    if len(points[0]) == 1:
        return max(point[0] for point in points)
    if len(points[0]) == 2:
        return _area(points)
    ordered = sorted(points, key=lambda point: -point[-1])
    total = 0.0
    for count, point in enumerate(ordered, start=1):
        below = ordered[count][-1] if count < len(ordered) else 0.0
        if point[-1] > below:
            slab = [other[:-1] for other in ordered[:count]]
            total += (point[-1] - below) * _volume(slab)
    return total


def _area(points: Sequence[Point]) -> float:
    total = reached = 0.0
    for right, up in sorted(points, reverse=True):
        if up > reached:
            total, reached = total + right * (up - reached), up
    return total
