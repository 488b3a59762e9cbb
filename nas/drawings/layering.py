"""A cell in layers: every state stands in one, and a wire that skips layers passes through each on
its way up.

Two freedoms remain, and `nas.drawings.crossings` plays with both: which layer a state stands in
(never below what it reads), and in which order the items of a layer stand from left to right.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from search_spaces.cells.genotype import Cell

OUTPUT = -1  # the target of the wires that leave the cell

Item = tuple[
    int, ...
]  # (state,) is a box; (state, layer, tag) is where wires of that state pass through a layer
Floors = tuple[int, ...]  # the layer of every state, then the layer of the output


class Wire(NamedTuple):
    """One line to draw: from a state to an edge of a node, or to the output."""

    source: int
    target: int
    edge: int


@dataclass(frozen=True, slots=True)
class Layered:
    """What stands in each layer, and the items each wire visits from bottom to top."""

    layers: tuple[tuple[Item, ...], ...]
    routes: dict[Wire, tuple[Item, ...]]

    def hops(self) -> dict[tuple[Item, Item], int]:
        """How many lines are drawn between two items of neighbouring layers; wires share a line
        between passages."""
        lines: dict[tuple[Item, Item], int] = {}
        for route in self.routes.values():
            for lower, upper in itertools.pairwise(route):
                shared = len(upper) > 1 or upper == (OUTPUT,)
                lines[lower, upper] = 1 if shared else lines.get((lower, upper), 0) + 1
        return lines


def wires(cell: Cell) -> Iterator[Wire]:
    """Every line of a cell's drawing, nodes first, then the output."""
    for index, node in enumerate(cell.nodes):
        for place, edge in enumerate(node.edges):
            yield Wire(edge.source, cell.inputs + index, place)
    for place, state in enumerate(cell.output_states):
        yield Wire(state, OUTPUT, place)


def lowest_floors(cell: Cell, inputs: tuple[int, ...]) -> Floors:
    """Every state as low as what it reads allows, above inputs that stand where they are told."""
    floors = list(inputs)
    for node in cell.nodes:
        floors.append(max((floors[edge.source] for edge in node.edges), default=0) + 1)
        floors[-1] = max(floors[-1], max(inputs, default=0) + 1)
    return (*floors, max(floors, default=0) + 1)


def lifted(cell: Cell, floors: Floors, state: int) -> Floors:
    """The same with one node a layer higher, and with it whatever must stay above it."""
    raised = list(floors[:-1])
    raised[state] += 1
    for later in range(max(state + 1, cell.inputs), len(raised)):
        for edge in cell.nodes[later - cell.inputs].edges:
            raised[later] = max(raised[later], raised[edge.source] + 1)
    return (*raised, max(raised) + 1)


def layered(cell: Cell, floors: Floors, shared: bool) -> Layered:
    """The items of every layer in natural order; `shared`: all wires of a state pass a layer at one
    place."""
    layers: list[dict[Item, None]] = [{} for _ in range(floors[-1] + 1)]  # ordered sets
    for state, floor in enumerate(floors[:-1]):
        layers[floor][(state,)] = None
    layers[-1][(OUTPUT,)] = None
    routes: dict[Wire, tuple[Item, ...]] = {}
    for number, wire in enumerate(wires(cell)):
        top = floors[-1] if wire.target == OUTPUT else floors[wire.target]
        passages = [
            (wire.source, level, 0 if shared else number)
            for level in range(floors[wire.source] + 1, top)
        ]
        for passage in passages:
            layers[passage[1]].setdefault(passage)
        routes[wire] = ((wire.source,), *passages, (wire.target,))
    return Layered(tuple(map(tuple, layers)), routes)


def bundled(drawn: Layered) -> Layered:
    """The same with neighbouring passages of one line made one, so that a line forks as late as it
    can."""
    stands_for: dict[Item, Item] = {}
    parent = {
        upper: lower
        for route in drawn.routes.values()
        for lower, upper in itertools.pairwise(route)
    }
    layers = []
    for layer in drawn.layers:
        kept: list[Item] = []
        for item in layer:
            last = kept[-1] if kept else ()
            if (
                len(item) > 1
                and len(last) > 1
                and _line_below(item, parent, stands_for) == _line_below(last, parent, stands_for)
            ):
                stands_for[item] = last
            else:
                kept.append(item)
        layers.append(tuple(kept))
    routes = {
        wire: tuple(stands_for.get(item, item) for item in route)
        for wire, route in drawn.routes.items()
    }
    return Layered(tuple(layers), routes)


def _line_below(item: Item, parent: dict[Item, Item], stands_for: dict[Item, Item]) -> Item:
    below = parent[item]
    return stands_for.get(below, below)
