"""Who lives in a population with several objectives: members on fronts behind fronts, each front as
crowded as it is.

After Deb, Pratap, Agarwal and Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm:
NSGA-II" (2002), sections III.A and III.B; kept up to date member by member, as a birth changes few
fronts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, final

from nas.study.front import Point, dominates

if TYPE_CHECKING:
    from search_spaces.cells.genotype import Genotype


@final
@dataclass(slots=True, eq=False)
class _Member:
    genotype: Genotype
    point: Point
    birth: int
    rank: int = 0
    gap: float = 0.0  # of its neighbours on its front, infinite at the ends


@final
class Survivors:
    """A population in the order of births; fitter is who is on an earlier front, and on equal
    fronts who has more room."""

    def __init__(self) -> None:
        self._alive: list[_Member] = []
        self._fronts: list[list[_Member]] = []  # each in the order of births
        self._changed: set[int] = set()  # fronts whose gaps are to be measured anew
        self._bereaved: int | None = None  # the front whose gaps still count one that has died
        self._births = 0

    def __len__(self) -> int:
        return len(self._alive)

    def bear(self, genotype: Genotype, point: Point) -> None:
        """One more member; whom it dominates steps back, and whom these dominate."""
        if self._bereaved is not None:
            self._changed.add(self._bereaved)
            self._bereaved = None
        newborn = _Member(genotype, point, self._births)
        self._births += 1
        self._alive.append(newborn)

        # Who is dominated by nobody on a front is so by nobody on later ones.
        rank = bisect_left(self._fronts, True, key=lambda front: not _beaten(newborn, by=front))
        coming = [newborn]
        while coming:
            if rank == len(self._fronts):
                self._fronts.append([])
            front = self._fronts[rank]
            leaving = [member for member in front if _beaten(member, by=coming)]
            staying = [member for member in front if member not in leaving] if leaving else front
            self._fronts[rank] = sorted(staying + coming, key=_BIRTH)
            self._changed.add(rank)
            for member in coming:
                member.rank = rank
            coming, rank = leaving, rank + 1

    def bury(self) -> None:
        """The least fit dies, of equals the oldest. It dominates nobody, so the others keep their
        fronts; their gaps count it until the next birth."""
        last = self._measured(len(self._fronts) - 1)
        worst = min(last, key=_GAP)
        last.remove(worst)
        self._alive.remove(worst)
        if last:
            self._bereaved = worst.rank
        else:
            self._fronts.pop()

    def fittest(self, places: Sequence[int]) -> Genotype:
        """Whoever is fittest of these, counted in the order of births; of equals the first."""
        met = [self._alive[place] for place in places]
        rank = min([member.rank for member in met])
        front = [member for member in met if member.rank == rank]
        if len(front) > 1:
            self._measured(rank)
        return max(front, key=_GAP).genotype

    def _measured(self, rank: int) -> list[_Member]:
        """A front, with its gaps up to date."""
        front = self._fronts[rank]
        if rank in self._changed:
            self._changed.remove(rank)
            _measure(front)
        return front


_BIRTH, _GAP = attrgetter("birth"), attrgetter("gap")


def _beaten(member: _Member, *, by: Sequence[_Member]) -> bool:
    point, first = member.point, member.point[0]  # the first tells most apart
    return any(other.point[0] >= first and dominates(other.point, point) for other in by)


def _measure(front: Sequence[_Member]) -> None:
    """How far the neighbours of each are apart, in shares of the width of the front, summed over
    objectives."""
    for member in front:
        member.gap = 0.0
    for values in zip(*[member.point for member in front], strict=True):
        ordered = sorted(range(len(front)), key=values.__getitem__)
        heights = [values[place] for place in ordered]
        front[ordered[0]].gap = front[ordered[-1]].gap = float("inf")
        width = heights[-1] - heights[0]
        if width > 0:
            for place, before, after in zip(ordered[1:], heights, heights[2:], strict=False):
                front[place].gap += (after - before) / width
