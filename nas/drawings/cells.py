"""Cells as figures: the shapes of one cell, and of all cells of a genotype, with a legend."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from nas.drawings.layering import OUTPUT
from nas.drawings.layout import (
    OP_HEIGHT,
    PILL_HEIGHT,
    STATE_HEIGHT,
    STATE_WIDTH,
    CellLayout,
    layout,
    pill_width,
    stretched,
)
from nas.drawings.palette import KINDS, kind_of, spoken
from nas.drawings.shapes import Box, Curve, Drawing, Label, Point, Shape, moved, rising, text_width
from nas.errors import NasError
from search_spaces.cells.genotype import Cell, Genotype

MARGIN = 28.0
_HEADING = 52.0
_LEGEND = 46.0
_GUTTER = 64.0
_PAGE_WIDTH = 900.0  # of a README: what is wider is shrunk there, with its text
_RISER = 24.0


def input_name(state: int, inputs: int) -> str:
    """What a figure calls an input state: `h[i]` is the newest."""
    age = inputs - 1 - state
    return f"h[i-{age}]" if age else "h[i]"


def cells_drawing(genotype: Genotype, title: str | None = None) -> Drawing:
    """All cells of a genotype, and the legend of the kinds that occur: side by side with inputs at
    one height, or one below another where a page would have to shrink their text."""
    refuse_choices(genotype)
    height = max(cell_shapes(cell)[2] for cell in genotype.cells.values())
    panels = [_panel(genotype, role, height) for role in genotype.cells]
    beside = sum(width for _, width, _ in panels) + _GUTTER * (len(panels) - 1)
    legend, legend_width = _legend(genotype.cells.values())
    if beside + 2 * MARGIN <= _PAGE_WIDTH:
        inner, foot = max(beside, legend_width), MARGIN + _HEADING + height
        shapes = _in_a_row(panels, (inner - beside) / 2)
    else:
        panels = [_panel(genotype, role, 0.0) for role in genotype.cells]
        inner = max(legend_width, *(width for _, width, _ in panels))
        shapes, foot = _in_a_column(panels, inner)

    foot += _LEGEND - 6
    shapes += [moved(shape, MARGIN + (inner - legend_width) / 2, foot) for shape in legend]
    total, bottom = inner + 2 * MARGIN, foot + 6 + MARGIN
    name = title or f"{genotype.space} genotype"
    return Drawing(total, bottom, tuple(shapes), _title(name, genotype), description(genotype))


_Panel = tuple[list[Shape], float, float]  # a cell under its heading, its width, its height


def _panel(genotype: Genotype, role: str, height: float) -> _Panel:
    """One cell, stretched towards this height."""
    cell = genotype.cells[role]
    parts, width, own_height = cell_shapes(cell, height)
    heading = _heading("" if len(genotype.cells) == cell.inputs == 1 else role, cell)
    room = max(width, *[label.box[2] - label.box[0] for label in heading])
    below = _HEADING + max(height - own_height, 0.0)
    shapes: list[Shape] = [moved(label, room / 2, 0) for label in heading]
    shapes += [moved(shape, (room - width) / 2, below) for shape in parts]
    return shapes, room, own_height


def _in_a_row(panels: Sequence[_Panel], left: float) -> list[Shape]:
    shapes: list[Shape] = []
    x = MARGIN + left
    for parts, width, _ in panels:
        shapes += [moved(shape, x, MARGIN) for shape in parts]
        x += width + _GUTTER
    return shapes


def _in_a_column(panels: Sequence[_Panel], inner: float) -> tuple[list[Shape], float]:
    shapes: list[Shape] = []
    y = MARGIN
    for parts, width, height in panels:
        shapes += [moved(shape, MARGIN + (inner - width) / 2, y) for shape in parts]
        y += _HEADING + height + _GUTTER
    return shapes, y - _GUTTER


def refuse_choices(genotype: Genotype) -> None:
    """Say in one sentence that a genotype of bare choices has nothing to draw."""
    if not genotype.cells:
        raise NasError(
            f"this genotype of space {genotype.space!r} has choices and no cells, so there is "
            "nothing to draw; "
            "`nas show` prints its choices and its key"
        )


def cell_drawing(cell: Cell, role: str = "normal", title: str | None = None) -> Drawing:
    """One cell alone, with its legend."""
    return cells_drawing(Genotype("cell", {role: cell}), title or f"{role} cell")


def description(genotype: Genotype) -> str:
    """The cells in words, one sentence per node."""
    parts = []
    for role, cell in genotype.cells.items():
        parts.append(f"{role.capitalize()} cell: {cell_sentence(cell)}")
    return " ".join(parts)


def cell_sentence(cell: Cell) -> str:
    """One cell in words."""
    names = [
        f"{cell.inputs + index} = {node_text(cell, index)}" for index, node in enumerate(cell.nodes)
    ]
    outputs = ", ".join(map(str, cell.output_states))
    return (
        "; ".join(
            [
                *names,
                f"output = {'concat of ' if len(cell.output_states) > 1 else ''}"
                f"{outputs or 'nothing'}",
            ]
        )
        + "."
    )


def node_text(cell: Cell, index: int) -> str:
    """One node as a formula: `sep_5x5(1) + sep_3x3(0)`."""
    node = cell.nodes[index]
    edges = [f"{edge.op}({edge.source})" for edge in node.edges]
    return (
        f"concat[{', '.join(edges)}]"
        if node.combine == "concat"
        else " + ".join(edges) or "nothing"
    )


def _title(name: str, genotype: Genotype) -> str:
    return f"{name}: {' and '.join(genotype.cells)} cell{'s' if len(genotype.cells) > 1 else ''}"


def _heading(role: str, cell: Cell) -> list[Label]:
    labels = [Label(0, 8, f"{role} cell".strip().capitalize(), "ink", 16, bold=True)]
    if role == "reduction":
        inputs = " and ".join(
            input_name(state, cell.inputs) for state in range(cell.inputs - 1, -1, -1)
        )
        labels.append(Label(0, 28, f"stride 2 where {inputs} are read", "muted", 11.5))
    return labels


def _legend(cells: Iterable[Cell]) -> tuple[list[Shape], float]:
    present = {kind_of(edge.op) for cell in cells for node in cell.nodes for edge in node.edges}
    shapes: list[Shape] = []
    x = 0.0
    for kind, name in KINDS.items():
        if kind in present:
            shapes.append(Box(x, -6, 18, 12, f"op-{kind}", 3))
            shapes.append(Label(x + 24, 0, name, "muted", 11.5, "start"))
            x += 24 + text_width(name, 11.5) + 18
    return shapes, max(x - 18, 0.0)


def cell_shapes(cell: Cell, height: float = 0.0) -> tuple[list[Shape], float, float]:
    """The shapes of one cell, their width and their height, y growing downwards from 0.

    Args:
        height: what to stretch the lines towards, so that cells side by side are about equally
            tall.
    """
    placed = layout(cell)
    if height:
        placed = stretched(placed, height - cell_shapes(cell)[2])
    output, head = _output(cell, placed)
    base = head + placed.height
    shapes: list[Shape] = []
    shapes += _lines(placed, base)
    for state in range(cell.inputs):
        shapes += _input(cell, placed, state, base)
    for index in range(len(cell.nodes)):
        shapes += _node(cell, placed, index, base)
    shapes += output
    left = min([0.0, *(shape.x for shape in output if isinstance(shape, Box))])
    right = max(
        [placed.width, *(shape.x + shape.width for shape in output if isinstance(shape, Box))]
    )
    return [moved(shape, -left, 0) for shape in shapes], right - left, base


def _lines(placed: CellLayout, base: float) -> list[Curve]:
    """Every line in page coordinates, a stretch that several share once; `base` is the y of the
    layout's bottom."""
    drawn: set[tuple[Point, Point]] = set()
    curves = []
    for points in sorted(placed.lines.values(), key=len, reverse=True):
        hops = list(itertools.pairwise(points))
        first = next((index for index, hop in enumerate(hops) if hop not in drawn), len(hops))
        if first < len(hops):
            page = [(x, base - y) for x, y in points[first:]]
            curves.append(Curve(page[0], rising(page), "wire", arrow=True))
        drawn.update(hops)
    return curves


def _input(cell: Cell, placed: CellLayout, state: int, base: float) -> list[Shape]:
    x, bottom = placed.x[state,], _floor(placed, state)[0]
    name = input_name(state, cell.inputs)
    top = base - bottom - STATE_HEIGHT
    box = Box(
        x - STATE_WIDTH / 2,
        top,
        STATE_WIDTH,
        STATE_HEIGHT,
        "input",
        tip=f"state {state}: the cell's input {name}",
    )
    return [box, Label(*box.centre, name, "ink", 12)]


def _floor(placed: CellLayout, state: int) -> tuple[float, float]:
    return next(
        floor
        for floor, layer in zip(placed.floors, placed.drawn.layers, strict=True)
        if (state,) in layer
    )


def _node(cell: Cell, placed: CellLayout, index: int, base: float) -> list[Shape]:
    state, node = cell.inputs + index, cell.nodes[index]
    x, bottom = placed.x[state,], _floor(placed, state)[0]
    op_top, pill_bottom = base - bottom - OP_HEIGHT, base - bottom - OP_HEIGHT - placed.link
    width = pill_width(node.combine)
    pill = Box(
        x - width / 2,
        pill_bottom - PILL_HEIGHT,
        width,
        PILL_HEIGHT,
        "combine",
        PILL_HEIGHT / 2,
        f"state {state} = {node_text(cell, index)}",
    )
    shapes: list[Shape] = []
    ops = placed.ops[state]
    for rank, op in enumerate(ops):
        step = min(9.0, (width - 16) / max(len(ops) - 1, 1))
        entry = x + (rank - (len(ops) - 1) / 2) * step
        shapes.append(
            Curve((x + op.x, op_top), rising([(x + op.x, op_top), (entry, pill_bottom)]), "wire")
        )
    for op in ops:
        edge = node.edges[op.edge]
        box = Box(x + op.x - op.width / 2, op_top, op.width, OP_HEIGHT, f"op-{kind_of(edge.op)}",
                  tip=f"{edge.op} of state {edge.source}")  # fmt: skip
        shapes += [box, Label(*box.centre, spoken(edge.op), "ink", 12)]
    shapes += [pill, Label(*pill.centre, node.combine, "reversed", 11)]
    shapes.append(Label(pill.x - 5, pill.centre[1], str(state), "muted", 10.5, "end"))
    return shapes


def _output(cell: Cell, placed: CellLayout) -> tuple[list[Shape], float]:
    """The shapes on top, and the y (from the top of the page) at which the layout's lines end."""
    ends = [points[-1][0] for wire, points in placed.lines.items() if wire.target == OUTPUT]
    if not ends:
        ends = [placed.width / 2]
    several = len(cell.output_states) > 1
    middle = (min(ends) + max(ends)) / 2 if several else ends[0]
    box = Box(
        middle - STATE_WIDTH / 2, 0, STATE_WIDTH, STATE_HEIGHT, "input", tip="the cell's output"
    )
    shapes: list[Shape] = [box, Label(*box.centre, "h[i+1]", "ink", 12)]
    if not several:
        return shapes, STATE_HEIGHT
    half = max((max(ends) - min(ends)) / 2 + 18, pill_width("concat") / 2)
    top = STATE_HEIGHT + _RISER
    bar = Box(
        middle - half,
        top,
        2 * half,
        PILL_HEIGHT,
        "combine",
        PILL_HEIGHT / 2,
        f"concat of states {', '.join(map(str, cell.output_states))}",
    )
    riser = Curve(
        (middle, top), rising([(middle, top), (middle, STATE_HEIGHT)]), "wire", arrow=True
    )
    return [riser, *shapes, bar, Label(*bar.centre, "concat", "reversed", 11)], top + PILL_HEIGHT
