"""As few crossings as possible: layers reordered by barycentres and sifting, boxes lifted where
that helps.

Two lines cross at most once, and exactly when their ends stand in opposite order in two
neighbouring layers, so crossings are counted without geometry. The order of the edges at one box is
free (both combines are symmetric up to a permutation of weights), hence lines that meet in one box
never cross each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from math import inf
from zlib import crc32

from nas.drawings.layering import (
    Floors,
    Item,
    Layered,
    bundled,
    layered,
    lifted,
    lowest_floors,
    wires,
)
from nas.drawings.reinsert import reinserted
from search_spaces.cells.genotype import Cell

Neighbours = dict[Item, list[tuple[Item, int]]]
Layers = list[list[Item]]

_SWEEPS = 2
_LIFTS = 3  # how many layers a drawing may grow beyond the flattest one


@dataclass(frozen=True, slots=True)
class _Effort:
    """How hard a cell of at most so many wires is tried, so that any cell is drawn within
    seconds."""

    wires: float
    starts: int
    sifts: int  # rounds
    reinsertions: int  # rounds; 0: all wires of a state share their passages
    lifts: bool


_EFFORTS = (
    _Effort(22, starts=3, sifts=8, reinsertions=4, lifts=True),
    _Effort(40, starts=1, sifts=8, reinsertions=2, lifts=False),
    _Effort(150, starts=1, sifts=2, reinsertions=0, lifts=False),
    _Effort(inf, starts=1, sifts=0, reinsertions=0, lifts=False),
)


def crossings(drawn: Layered) -> int:
    """How many pairs of lines cross, counted between neighbouring layers."""
    place = {item: index for layer in drawn.layers for index, item in enumerate(layer)}
    floor = {item: level for level, layer in enumerate(drawn.layers) for item in layer}
    channels: dict[int, list[tuple[int, int, int]]] = {}
    for (lower, upper), count in drawn.hops().items():
        channels.setdefault(floor[lower], []).append((place[lower], place[upper], count))
    return sum(
        a[2] * b[2]
        for lines in channels.values()
        for a, b in combinations(lines, 2)
        if (a[0] - b[0]) * (a[1] - b[1]) < 0
    )


def arrangements(cell: Cell) -> list[Layered]:
    """The best drawings found, all with equally few crossings, in equally many layers."""
    count = sum(1 for _ in wires(cell))
    effort = next(effort for effort in _EFFORTS if count <= effort.wires)
    starts = [lowest_floors(cell, inputs) for inputs in _input_floors(cell)]
    tried = {floors: _best_for(cell, floors, effort) for floors in starts}
    best = min(starts, key=lambda floors: _cost(tried[floors], floors))
    if effort.lifts:
        best = _lifted_until_good(cell, best, effort, tried)
    return tried[best]


def _input_floors(cell: Cell) -> Iterator[tuple[int, ...]]:
    yield (0,) * cell.inputs
    if cell.inputs == 2:  # one input below the other lets its wires go around both sides of it
        yield from ((0, 1), (1, 0))


def _cost(found: list[Layered], floors: Floors) -> tuple[int, int]:
    return crossings(found[0]), sum(floors)


def _lifted_until_good(
    cell: Cell, best: Floors, effort: _Effort, tried: dict[Floors, list[Layered]]
) -> Floors:
    highest = lowest_floors(cell, (0,) * cell.inputs)[-1] + _LIFTS
    while crossings(tried[best][0]):
        steps = [
            lifted(cell, best, state) for state in range(cell.inputs, cell.inputs + len(cell.nodes))
        ]
        steps = [floors for floors in steps if floors[-1] <= highest]
        for floors in steps:
            if floors not in tried:
                tried[floors] = _best_for(cell, floors, effort)
        better = min(steps, key=lambda floors: _cost(tried[floors], floors), default=best)
        if crossings(tried[better][0]) >= crossings(tried[best][0]):
            break
        best = better
    return best


def _best_for(cell: Cell, floors: Floors, effort: _Effort) -> list[Layered]:
    found: dict[tuple[tuple[Item, ...], ...], Layered] = {}
    fewest: int | None = None
    for shared, start in product(
        (True, False) if effort.reinsertions else (True,), range(effort.starts)
    ):
        drawn = _ordered(layered(cell, floors, shared), start, effort.sifts)
        drawn = bundled(drawn if shared else reinserted(drawn, effort.reinsertions))
        count = crossings(drawn)
        if fewest is None or count < fewest:
            fewest, found = count, {}
        if count == fewest:
            found.setdefault(drawn.layers, drawn)
    return list(found.values())


def _ordered(drawn: Layered, start: int, sifts: int) -> Layered:
    below, above = _neighbours(drawn)
    layers = [_shuffled(layer, start) for layer in drawn.layers]
    for sweep in range(start, start + _SWEEPS):
        if sweep % 2:
            for level in range(1, len(layers)):
                _sort_by_barycentre(layers[level], layers[level - 1], below)
        else:
            for level in range(len(layers) - 2, -1, -1):
                _sort_by_barycentre(layers[level], layers[level + 1], above)
    for _ in range(sifts):
        moved = [_sift(layers, level, below, above) for level in range(len(layers))]
        if not any(moved):
            break
    return Layered(tuple(map(tuple, layers)), drawn.routes)


def _neighbours(drawn: Layered) -> tuple[Neighbours, Neighbours]:
    below: Neighbours = {item: [] for layer in drawn.layers for item in layer}
    above: Neighbours = {item: [] for layer in drawn.layers for item in layer}
    for (lower, upper), count in drawn.hops().items():
        below[upper].append((lower, count))
        above[lower].append((upper, count))
    return below, above


def _shuffled(layer: tuple[Item, ...], start: int) -> list[Item]:
    """As it is, reversed, then other orders: always the same ones, so that drawings are
    reproducible."""
    if start < 2:
        return list(layer)[:: 1 - 2 * start]
    return sorted(layer, key=lambda item: crc32(repr((start, item)).encode()))


def _sort_by_barycentre(layer: list[Item], fixed: list[Item], neighbours: Neighbours) -> None:
    place = {item: index for index, item in enumerate(fixed)}
    own = {item: index for index, item in enumerate(layer)}
    scale = len(fixed) / max(len(layer), 1)

    def barycentre(item: Item) -> float:
        lines = neighbours[item]
        if not lines:
            return own[item] * scale
        return sum(place[other] * count for other, count in lines) / sum(
            count for _, count in lines
        )

    layer.sort(key=barycentre)


def _sift(layers: Layers, level: int, below: Neighbours, above: Neighbours) -> bool:
    """Move every item of a layer to its best place among the others; tells whether crossings went
    away."""
    layer = layers[level]
    place = {
        item: index
        for near in layers[max(level - 1, 0) : level + 2]
        for index, item in enumerate(near)
    }
    cost = _pair_costs(layer, place, below, above)
    better = False
    for item in tuple(layer):
        rest = [other for other in layer if other != item]
        here, total, best, gain = layer.index(item), 0, 0, 0
        totals = [0]
        for other in (
            rest
        ):  # the cost of standing behind one more item, relative to standing in front of all
            total += cost[other, item] - cost[item, other]
            totals.append(total)
        best = min(range(len(totals)), key=lambda index: (totals[index], abs(index - here)))
        gain = totals[here] - totals[best]
        if gain > 0:
            rest.insert(best, item)
            layer[:] = rest
            better = True
    return better


def _pair_costs(
    layer: list[Item], place: dict[Item, int], below: Neighbours, above: Neighbours
) -> dict[tuple[Item, Item], int]:
    ends = {
        item: [[(place[other], count) for other, count in side[item]] for side in (below, above)]
        for item in layer
    }
    cost = {}
    for left in layer:
        for right in layer:
            if left != right:
                cost[left, right] = sum(
                    m * n
                    for mine, yours in zip(ends[left], ends[right], strict=True)
                    for p, m in mine
                    for q, n in yours
                    if p > q
                )
    return cost
