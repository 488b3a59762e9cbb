"""The last crossings: lines, then boxes with all their lines, are taken out and put back where they
cross least.

A line alone is put back optimally (the cheapest way through the gaps of the layers it passes); a
box is tried in every gap of its layer. Works on drawings in which no two wires share a passage.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left

from nas.drawings.layering import OUTPUT, Item, Layered, Wire

Layers = list[list[Item]]
Routes = dict[Wire, tuple[Item, ...]]


def reinserted(drawn: Layered, rounds: int = 4) -> Layered:
    """The drawing after rounds of taking out and putting back, until no crossing goes away."""
    layers, routes = [list(layer) for layer in drawn.layers], drawn.routes
    count = _crossings(layers, routes)
    for _ in range(rounds):
        before = count
        for route in routes.values():
            _take_out(layers, [route])
            _put_back(layers, routes, route)
        count = _crossings(layers, routes)
        for layer in drawn.layers:
            for box in layer:
                if count and len(box) == 1 and box != (OUTPUT,):
                    count = _move_box(layers, routes, box, count)
        if count in (0, before):
            break
    return Layered(tuple(map(tuple, layers)), routes)


def _move_box(layers: Layers, routes: Routes, box: Item, count: int) -> int:
    """Put a box, with its lines, where the whole drawing has fewer crossings, if there is such a
    place."""
    level = next(level for level, layer in enumerate(layers) if box in layer)
    own = sorted((route for route in routes.values() if box in (route[0], route[-1])), key=len)
    best = [list(layer) for layer in layers]
    bare = [list(layer) for layer in layers]
    _take_out(bare, own)
    bare[level].remove(box)
    for gap in range(len(bare[level]) + 1):
        trial = [list(layer) for layer in bare]
        trial[level].insert(gap, box)
        for route in own:
            _put_back(trial, routes, route)
        trial_count = _crossings(trial, routes)
        if trial_count < count:
            best, count = trial, trial_count
    layers[:] = best
    return count


def _take_out(layers: Layers, routes: list[tuple[Item, ...]]) -> None:
    for route in routes:
        for passage in route[1:-1]:
            layers[passage[1]].remove(passage)


def _put_back(layers: Layers, routes: Routes, route: tuple[Item, ...]) -> None:
    """Insert the passages of one route at the gaps of least cost (dynamic programming, layer by
    layer)."""
    if len(route) < 3:
        return
    bottom = route[1][1] - 1
    channels = _channels(layers, routes)
    costs: dict[float, int] = {float(layers[bottom].index(route[0])): 0}
    came_from: list[dict[float, float]] = []
    for passage in (*route[1:-1], None):
        level = bottom + len(came_from)
        if passage is None:
            targets = [float(layers[level + 1].index(route[-1]))]
        else:
            targets = [gap - 0.5 for gap in range(len(layers[level + 1]) + 1)]
        costs, parents = _cheapest(costs, targets, channels[level])
        came_from.append(parents)
    place = next(iter(costs))
    for parents, passage in zip(reversed(came_from[1:]), reversed(route[1:-1]), strict=True):
        place = parents[place]
        layers[passage[1]].insert(int(place + 0.5), passage)


def _cheapest(
    costs: dict[float, int], targets: list[float], lines: list[tuple[int, int]]
) -> tuple[dict[float, int], dict[float, float]]:
    """The least cost of reaching each target one layer up, and from where."""
    reached: dict[float, int] = {}
    parents: dict[float, float] = {}
    for start, cost in costs.items():
        left = sorted(upper for lower, upper in lines if lower < start)
        right = sorted(upper for lower, upper in lines if lower > start)
        for target in targets:
            total = cost + len(left) - bisect_left(left, target + 0.25) + bisect_left(right, target)
            if total < reached.get(target, total + 1):
                reached[target], parents[target] = total, start
    return reached, parents


def _channels(layers: Layers, routes: Routes) -> list[list[tuple[int, int]]]:
    """Between each two layers, the places of the ends of every line that is whole."""
    place = {
        item: (level, index)
        for level, layer in enumerate(layers)
        for index, item in enumerate(layer)
    }
    channels: list[list[tuple[int, int]]] = [[] for _ in layers]
    for route in routes.values():
        ends = [place.get(item) for item in route]
        if None not in ends:
            for lower, upper in itertools.pairwise(ends):
                if lower is not None and upper is not None:
                    channels[lower[0]].append((lower[1], upper[1]))
    return channels


def _crossings(layers: Layers, routes: Routes) -> int:
    total = 0
    for lines in _channels(layers, routes):
        counts = [0] * (1 + max((upper for _, upper in lines), default=0))
        waiting: list[int] = []
        at = -1
        for lower, upper in sorted(lines):
            if lower != at:
                for earlier in waiting:
                    counts[earlier] += 1
                waiting, at = [], lower
            total += sum(counts[upper + 1 :])
            waiting.append(upper)
    return total
