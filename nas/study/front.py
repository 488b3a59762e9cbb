"""What several objectives amount to: who is dominated, the front, its knee, how much of the range
is covered.

Every objective is higher-is-better. Points are tuples of two or three numbers; of equal points the
one that came first stands for both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import ge
from typing import Generic, TypeVar, final

Point = tuple[float, ...]
Scale = tuple[float, float]  # the worst that counts, and what is one unit above it

Owner = TypeVar("Owner")


def dominates(one: Point, other: Point) -> bool:
    """Whether one is as good in every objective and better in some."""
    return one[0] >= other[0] and one != other and all(map(ge, one, other))


@final
class Front(Generic[Owner]):
    """The points that no other dominates, in the order in which they came, each with what it is
    of."""

    def __init__(self) -> None:
        self.members: list[tuple[Point, Owner]] = []

    def offer(self, point: Point, owner: Owner) -> list[Owner] | None:
        """Whose points leave for this one; None where it is not on the front."""
        first = point[0]  # it tells most apart
        if any(other[0] >= first and all(map(ge, other, point)) for other, _ in self.members):
            return None
        beaten = [member for member in self.members if dominates(point, member[0])]
        if beaten:
            self.members = [member for member in self.members if not dominates(point, member[0])]
        self.members.append((point, owner))
        return [member[1] for member in beaten]

    @property
    def points(self) -> list[Point]:
        """The points alone."""
        return [point for point, _ in self.members]


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
    if len(points[0]) == 2:
        return _area(points)
    ordered = sorted(points, key=lambda point: -point[-1])
    slab: Front[None] = Front()
    total = 0.0
    for count, (*flat, height) in enumerate(ordered, start=1):
        slab.offer(tuple(flat), None)
        below = ordered[count][-1] if count < len(ordered) else 0.0
        if height > below:
            total += (height - below) * _area(slab.points)
    return total


def _area(points: Sequence[Point]) -> float:
    total = reached = 0.0
    for right, up in sorted(points, reverse=True):
        if up > reached:
            total, reached = total + right * (up - reached), up
    return total
