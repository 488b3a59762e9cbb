"""Evolution and local search along fronts: what they keep up to date from trial to trial is what
its definition says, worked out from nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nas.contracts import Evaluation, Trial
from nas.registry import load
from nas.seeding import numpy_rng
from nas.strategies._survivors import Survivors
from nas.strategies.local_search import LocalSearch
from nas.study.front import Point, dominates
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import Choices

SPACE = load("space", "nasbench201")()
KINDS = ("ties", "far apart")


def points(kind: str, objectives: int, count: int) -> Iterator[Point]:
    """Random points, all on a front or on many; with ties most are equal to others in something."""
    rows = numpy_rng(0, kind, objectives).random((count, objectives))
    yield from map(tuple, ((5 * rows).round() if kind == "ties" else rows).tolist())


def fitnesses(found: list[Point]) -> list[tuple[int, float]]:
    """Front, counted downwards, and crowding distance of each, after Deb et al. (2002)."""
    ranks, left = [0] * len(found), set(range(len(found)))
    for rank in range(len(found)):
        peeled = {i for i in left if not any(dominates(found[j], found[i]) for j in left)}
        for index in peeled:
            ranks[index] = rank
        left -= peeled

    gaps = [0.0] * len(found)
    for rank in set(ranks):
        front = [index for index in range(len(found)) if ranks[index] == rank]
        for values in zip(*(found[index] for index in front), strict=True):
            ordered = sorted(range(len(front)), key=values.__getitem__)
            width = values[ordered[-1]] - values[ordered[0]]
            gaps[front[ordered[0]]] = gaps[front[ordered[-1]]] = float("inf")
            for before, place, after in zip(ordered, ordered[1:], ordered[2:], strict=False):
                gaps[front[place]] += (values[after] - values[before]) / width if width > 0 else 0.0
    return [(-rank, gap) for rank, gap in zip(ranks, gaps, strict=True)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("objectives", [2, 3])
@pytest.mark.parametrize("population", [1, 3, 25])
def test_who_dies_and_who_wins_is_as_ranks_and_crowding_say(
    kind: str, objectives: int, population: int
) -> None:
    rng, dice = numpy_rng(0, "members"), numpy_rng(0, "dice")
    survivors = Survivors()
    plain: list[tuple[Genotype, Point]] = []
    for point in points(kind, objectives, 150):
        genotype = SPACE.sample(rng)
        survivors.bear(genotype, point)
        plain.append((genotype, point))
        fitness = fitnesses([point for _, point in plain])
        if len(plain) > population:
            survivors.bury()
            worst = min(range(len(fitness)), key=fitness.__getitem__)
            del plain[worst], fitness[worst]

        assert len(survivors) == len(plain)
        for _ in range(4):
            entrants = dice.integers(len(plain), size=3).tolist()
            winner = max(entrants, key=fitness.__getitem__)
            assert survivors.fittest(entrants) is plain[winner][0]


def order(front: list[tuple[Choices, Point]], known: set[Choices], version: int) -> list[Choices]:
    """The neighbours of a front without a result, each once, shuffled."""
    found = dict.fromkeys(
        (*choices[:index], (choices[index] + step) % count, *choices[index + 1 :])
        for choices, _ in front
        for index, count in enumerate(SPACE.counts)
        for step in range(1, count)
    )
    left = [choices for choices in found if choices not in known]
    rng = numpy_rng(0, "neighbours", version)
    return [left[place] for place in rng.permutation(len(left)).tolist()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("objectives", [2, 3])
def test_local_search_goes_through_the_neighbours_of_the_front(kind: str, objectives: int) -> None:
    """Half of the trials are proposals, half come from elsewhere, some of them twice."""
    search, dice = LocalSearch(SPACE, 0), numpy_rng(0, "dice")
    front: list[tuple[Choices, Point]] = []
    known: set[Choices] = set()
    expected: list[Choices] = []
    version = base = 0
    for number, point in enumerate(points(kind, objectives, 250)):
        if expected:
            for ahead in (0, int(dice.integers(2 * len(expected)))):
                lap, place = divmod(number + ahead - base, len(expected))
                neighbour = expected[place]
                if lap > 0 and (lap > 1 or neighbour in known):
                    neighbour = SPACE.encode(SPACE.sample(numpy_rng(0, "ask", number + ahead)))
                assert SPACE.encode(search.ask(number + ahead).genotype) == neighbour

        genotype = search.ask(number).genotype
        if number % 2:
            genotype = SPACE.decode(dice.integers(3, size=len(SPACE.counts)).tolist())
        search.tell(Trial(number, genotype, number), Evaluation(point[0], {}, 0.0, point))
        choices = SPACE.encode(genotype)
        known.add(choices)
        if not any(other == point or dominates(other, point) for _, other in front):
            front = [each for each in front if not dominates(point, each[1])]
            front.append((choices, point))
            version, base = version + 1, number + 1
            expected = order(front, known, version)
    assert version > 5
