"""Where the boxes and lines of a cell stand: inputs below, nodes in layers above them, the output
on top.

Lines run straight up beside the boxes of a layer and bend only between layers, so no line runs
through a box and two lines cross only where `nas.drawings.crossings` counted a crossing.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import lru_cache

from nas.drawings.crossings import arrangements
from nas.drawings.layering import OUTPUT, Item, Layered, Wire
from nas.drawings.palette import spoken
from nas.drawings.shapes import Point, text_width
from search_spaces.cells.genotype import Cell

OP_HEIGHT = 28.0
_LINK_HEIGHT = 24.0
PILL_HEIGHT = 20.0
STATE_HEIGHT = 28.0
STATE_WIDTH = 68.0
_OP_GAP = 8.0
_BOX_GAP = 24.0
_LINE_GAP = 13.0
_MOVES = 6000  # of items towards what they are joined to; a sweep moves each once
_ROUGH = 1200  # moves that tell good arrangements from bad ones
_STRETCH = 36.0


@dataclass(frozen=True, slots=True)
class PlacedOp:
    """An edge of a node: its box' middle and width."""

    edge: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class CellLayout:
    """Places with y growing upwards from 0; x from 0 to `width`."""

    width: float
    height: float
    link: float  # from the ops of a node to its combine
    drawn: Layered
    x: dict[Item, float]
    ops: dict[int, tuple[PlacedOp, ...]]  # by state, x relative to the state's own
    floors: tuple[tuple[float, float], ...]  # bottom and top of every layer
    lines: dict[Wire, tuple[Point, ...]]  # from the top of the source to the bottom of the target


@lru_cache(maxsize=64)
def layout(cell: Cell) -> CellLayout:
    """The best layout found: fewest crossings, then shortest lines, older input on the left."""
    best = min(arrangements(cell)[:8], key=lambda drawn: _length(_placed(cell, drawn, _ROUGH)))
    return _placed(cell, best, _MOVES)


def stretched(placed: CellLayout, height: float) -> CellLayout:
    """The layout made taller by longer lines between layers, up to half as long again as they need
    be."""
    gaps = len(placed.floors) - 1
    step = min(height / gaps, _STRETCH) if gaps else 0.0
    shift = {y: y + step * level for level, floor in enumerate(placed.floors) for y in floor}
    floors = tuple((shift[bottom], shift[top]) for bottom, top in placed.floors)
    lines = {wire: tuple((x, shift[y]) for x, y in points) for wire, points in placed.lines.items()}
    return replace(placed, height=floors[-1][1], floors=floors, lines=lines)


def op_width(op: str) -> float:
    """How wide the box of an operation is."""
    return max(62.0, text_width(spoken(op), 12) + 16)


def _length(placed: CellLayout) -> float:
    bends = sum(
        abs(right[0] - left[0])
        for points in placed.lines.values()
        for left, right in itertools.pairwise(points)
    )
    return bends + placed.width + placed.height


def _placed(cell: Cell, drawn: Layered, moves: int) -> CellLayout:
    drawn = _older_left(drawn)
    ops = {
        state: _ops_of(cell, drawn, state)
        for state in range(cell.inputs, cell.inputs + len(cell.nodes))
    }
    half = {item: _half_width(item, cell, ops) for layer in drawn.layers for item in layer}
    x = _columns(drawn, half, ops, moves)
    left = min((x[item] - half[item] for item in x), default=0.0)
    x = {item: round(value - left, 1) for item, value in x.items()}
    width = max((x[item] + half[item] for item in x), default=STATE_WIDTH)
    link = round(_LINK_HEIGHT + 0.05 * max(0.0, 2 * max(half.values()) - 160), 1)
    floors = _floors(drawn, x, ops, link)
    return CellLayout(
        round(width, 1), floors[-1][1], link, drawn, x, ops, floors, _lines(drawn, x, ops, floors)
    )


def _older_left(drawn: Layered) -> Layered:
    """The drawing or its mirror image, whichever has input 0 further left."""
    for layer in drawn.layers[:2]:
        inputs = [index for index, item in enumerate(layer) if item in ((0,), (1,))]
        if len(inputs) == 2 and layer[inputs[0]] == (1,):
            return Layered(tuple(layer[::-1] for layer in drawn.layers), drawn.routes)
    return drawn


def _ops_of(cell: Cell, drawn: Layered, state: int) -> tuple[PlacedOp, ...]:
    """The boxes of a node's edges, side by side in the order in which their lines arrive."""
    place = {item: index for layer in drawn.layers for index, item in enumerate(layer)}
    node = cell.nodes[state - cell.inputs]
    arrival = {
        edge: place[drawn.routes[Wire(node.edges[edge].source, state, edge)][-2]]
        for edge in range(len(node.edges))
    }
    order = sorted(arrival, key=lambda edge: (arrival[edge], edge))
    widths = [op_width(node.edges[edge].op) for edge in order]
    left = -(sum(widths) + _OP_GAP * (len(widths) - 1)) / 2
    placed = []
    for edge, width in zip(order, widths, strict=True):
        placed.append(PlacedOp(edge, left + width / 2, width))
        left += width + _OP_GAP
    return tuple(placed)


def pill_width(combine: str) -> float:
    """How wide the box of a combine is."""
    return text_width(combine, 11) + 16


def _half_width(item: Item, cell: Cell, ops: dict[int, tuple[PlacedOp, ...]]) -> float:
    if len(item) > 1 or item == (OUTPUT,):
        return 0.0
    if item[0] < cell.inputs:
        return STATE_WIDTH / 2
    placed = ops[item[0]]
    own = placed[-1].x + placed[-1].width / 2 if placed else 0.0
    return max(own, pill_width(cell.nodes[item[0] - cell.inputs].combine) / 2 + 22)


def _columns(
    drawn: Layered, half: dict[Item, float], ops: dict[int, tuple[PlacedOp, ...]], moves: int
) -> dict[Item, float]:
    """Every item's x: as near to what it is joined to as its neighbours in the layer let it
    come."""
    pulls = _pulls(drawn, ops)
    x: dict[Item, float] = {}
    for layer in drawn.layers:
        total = sum(_apart(a, b, half) for a, b in itertools.pairwise(layer))
        at = -total / 2
        for index, item in enumerate(layer):
            at += _apart(layer[index - 1], item, half) if index else 0.0
            x[item] = at
    for sweep in range(20 + moves // len(x)):
        for layer in drawn.layers[:: 1 if sweep % 2 else -1]:
            wanted = []
            for item in layer:
                weight = sum(strength for _, _, strength in pulls[item])
                middle = sum(
                    (x[other] + offset) * strength for other, offset, strength in pulls[item]
                )
                wanted.append((middle / weight, weight) if weight else (x[item], 0.01))
            x.update(zip(layer, _spread(layer, wanted, half), strict=True))
    return x


def _pulls(
    drawn: Layered, ops: dict[int, tuple[PlacedOp, ...]]
) -> dict[Item, list[tuple[Item, float, float]]]:
    """What every item is joined to, with the wanted difference in x and how much it matters that it
    be kept."""
    pulls: dict[Item, list[tuple[Item, float, float]]] = {
        item: [] for layer in drawn.layers for item in layer
    }
    seen = set()
    for wire, route in drawn.routes.items():
        for lower, upper in itertools.pairwise(route):
            if upper == (OUTPUT,):
                continue  # the output is as wide as it must be: lines reach it straight
            passing = len(upper) > 1
            if passing and (lower, upper) in seen:
                continue
            seen.add((lower, upper))
            offset = (
                0.0 if passing else next(op.x for op in ops[wire.target] if op.edge == wire.edge)
            )
            strength = (
                16.0 if passing and len(lower) > 1 else 2.0 if passing or len(lower) > 1 else 1.0
            )
            pulls[lower].append((upper, offset, strength))
            pulls[upper].append((lower, -offset, strength))
    return pulls


def _apart(left: Item, right: Item, half: dict[Item, float]) -> float:
    gap = (
        _BOX_GAP
        if len(left) == len(right) == 1
        else _LINE_GAP
        if len(left) == len(right)
        else _BOX_GAP * 0.7
    )
    return half[left] + half[right] + gap


def _spread(
    layer: tuple[Item, ...], wanted: list[tuple[float, float]], half: dict[Item, float]
) -> list[float]:
    """The places nearest to those wanted that keep order and distance (least squares: pool adjacent
    violators)."""
    shift, shifts = 0.0, []
    for index, item in enumerate(layer):
        shift += _apart(layer[index - 1], item, half) if index else 0.0
        shifts.append(shift)
    blocks: list[tuple[float, float, int]] = []
    for (value, weight), offset in zip(wanted, shifts, strict=True):
        block = (value - offset, weight, 1)
        while blocks and blocks[-1][0] >= block[0]:
            last = blocks.pop()
            total = last[1] + block[1]
            block = ((last[0] * last[1] + block[0] * block[1]) / total, total, last[2] + block[2])
        blocks.append(block)
    flat = [value for value, _, count in blocks for _ in range(count)]
    return [value + offset for value, offset in zip(flat, shifts, strict=True)]


def _floors(
    drawn: Layered, x: dict[Item, float], ops: dict[int, tuple[PlacedOp, ...]], link: float
) -> tuple[tuple[float, float], ...]:
    """Bottom and top of every layer; layers stand further apart where lines between them run far
    sideways."""
    reach = [0.0] * len(drawn.layers)
    level = {item: index for index, layer in enumerate(drawn.layers) for item in layer}
    for wire, route in drawn.routes.items():
        for lower, upper in itertools.pairwise(route):
            reach[level[lower]] = max(
                reach[level[lower]], abs(_arrival(wire, upper, x[lower], x, ops) - x[lower])
            )
    floors, bottom = [], 0.0
    for index, layer in enumerate(drawn.layers):
        height = max((_height(item, ops, link) for item in layer), default=0.0)
        floors.append((round(bottom, 1), round(bottom + height, 1)))
        bottom += height + min(30.0 + 0.15 * reach[index], 84.0)
    return tuple(floors)


def _height(item: Item, ops: dict[int, tuple[PlacedOp, ...]], link: float) -> float:
    if len(item) > 1 or item == (OUTPUT,):
        return 0.0
    return OP_HEIGHT + link + PILL_HEIGHT if item[0] in ops else STATE_HEIGHT


def _arrival(
    wire: Wire,
    upper: Item,
    below: float,
    x: dict[Item, float],
    ops: dict[int, tuple[PlacedOp, ...]],
) -> float:
    """The x at which a line reaches an item from below."""
    if upper == (OUTPUT,):
        return below
    if len(upper) > 1:
        return x[upper]
    return x[upper] + next(op.x for op in ops[wire.target] if op.edge == wire.edge)


def _lines(
    drawn: Layered,
    x: dict[Item, float],
    ops: dict[int, tuple[PlacedOp, ...]],
    floors: tuple[tuple[float, float], ...],
) -> dict[Wire, tuple[Point, ...]]:
    level = {item: index for index, layer in enumerate(drawn.layers) for item in layer}
    starts = _departures(drawn, x, ops)
    lines = {}
    for wire, route in drawn.routes.items():
        at = starts[route[0], route[1], wire if len(route) == 2 else None]
        points: list[Point] = [(at, floors[level[route[0]]][1])]
        for upper in route[1:]:
            at = _arrival(wire, upper, at, x, ops)
            points.append((at, floors[level[upper]][0]))
            if len(upper) > 1:
                points.append((at, floors[level[upper]][1]))
        lines[wire] = tuple(points)
    return lines


def _departures(
    drawn: Layered, x: dict[Item, float], ops: dict[int, tuple[PlacedOp, ...]]
) -> dict[tuple[Item, Item, Wire | None], float]:
    """The x at which each line leaves its box: side by side along its top, in the order of where
    they go."""
    leaving: dict[Item, dict[tuple[Item, Item, Wire | None], float]] = {}
    for wire, route in drawn.routes.items():
        line = (route[0], route[1], wire if len(route) == 2 else None)
        leaving.setdefault(route[0], {})[line] = _arrival(wire, route[1], x[route[0]], x, ops)
    starts = {}
    for item, lines in leaving.items():
        room = STATE_WIDTH - 14 if item[0] not in ops else 18.0
        step = min(9.0, room / max(len(lines) - 1, 1))
        for index, line in enumerate(sorted(lines, key=lambda line: lines[line])):
            starts[line] = round(x[item] + (index - (len(lines) - 1) / 2) * step, 1)
    return starts
