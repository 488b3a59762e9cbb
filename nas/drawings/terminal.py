"""Cells in a terminal: a rail per state that rises from its number, a row per node that taps the
rails it reads.

     h[i+1] ◀─●───────●───●    concat(0, 2, 3)
              │       │   │
              ●───●───┼───3    sep_5x5(0) + avg_3x3(1)
              │   │   │
              ●───●───2        sep_3x3(0) + identity(1)
              │   │
              0   1            0 = h[i-1], 1 = h[i]

A dot is a tap, a cross is only a crossing. A rail ends where its state was last read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import wrap

from nas.drawings.cells import input_name, node_text, refuse_choices
from nas.drawings.palette import kind_of
from search_spaces.cells.genotype import Cell, Genotype

_ASCII = str.maketrans("●─│┼◀", "o-|+<")
_TONES = {
    "separable": 39,
    "dilated": 175,
    "convolution": 36,
    "asymmetric": 172,
    "pooling": 178,
    "identity": 245,
    "none": 240,
    "other": 141,
}
_GUTTER = 4  # between cells side by side
_TEXT_GAP = 3
_LEAST_TEXT = 34  # columns that the words of a node need at least


def cells_text(
    genotype: Genotype, width: int = 100, *, color: bool = False, plain: bool = False
) -> str:
    """All cells of a genotype, side by side where they fit.

    Args:
        width: columns of the terminal.
        color: whether to colour operations by kind (ANSI escapes).
        plain: whether to draw with ASCII alone.
    """
    refuse_choices(genotype)
    alone = len(genotype.cells) == 1
    names = {
        role: "Cell" if alone and cell.inputs == 1 else f"{role.capitalize()} cell"
        for role, cell in genotype.cells.items()
    }
    blocks = [_cell_lines(names[role], cell, width) for role, cell in genotype.cells.items()]
    widths = [max(map(len, block)) for block in blocks]
    if sum(widths) + _GUTTER * (len(widths) - 1) <= width:
        lines = _side_by_side(blocks, widths)
    else:
        lines = [line for block in blocks for line in (*block, "")][:-1]
    text = "\n".join(line.rstrip() for line in lines)
    text = text.translate(_ASCII) if plain else text
    return _colored(text, genotype) if color else text


def draws_boxes(encoding: str | None) -> bool:
    """Whether a stream of this encoding can carry the box characters."""
    try:
        "●─│┼◀".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _side_by_side(blocks: list[list[str]], widths: list[int]) -> list[str]:
    height = max(map(len, blocks))
    padded = [block[:1] + [""] * (height - len(block)) + block[1:] for block in blocks]
    return [
        (" " * _GUTTER).join(line.ljust(width) for line, width in zip(row, widths, strict=True))
        for row in zip(*padded, strict=True)
    ]


def _cell_lines(name: str, cell: Cell, width: int) -> list[str]:
    states = cell.inputs + len(cell.nodes)
    head = "h[i+1] ◀"
    for spacing in (4, 3, 2):
        rails = len(head) + 1 + (states - 1) * spacing + len(str(states - 1)) + _TEXT_GAP
        if rails + _LEAST_TEXT <= width:
            return [name, *_rail_lines(cell, spacing, head, rails, width - rails)]
    return [name, *_listed(cell, width)]


def _listed(cell: Cell, width: int) -> Iterator[str]:
    """Cells with more states than a terminal has room for rails."""
    yield from _wrapped(f"h[i+1] = {_output_text(cell)}", max(width, 20))
    for index in range(len(cell.nodes) - 1, -1, -1):
        yield from _wrapped(f"{cell.inputs + index} = {node_text(cell, index)}", max(width, 20))
    yield _inputs_text(cell)


def _rail_lines(cell: Cell, spacing: int, head: str, rails: int, room: int) -> Iterator[str]:
    tops = _rail_tops(cell)
    start = len(head) + 1
    first = cell.inputs + len(cell.nodes)

    def row(canvas: list[str], text: str) -> str:
        return ("".join(canvas).ljust(rails) + text).rstrip()

    def standing(below: int) -> list[str]:
        """The rails that stand in the rows between the row of state `below` and the next lower
        one."""
        canvas = [" "] * rails
        for state in range(below):
            if tops[state] >= below:
                canvas[start + state * spacing] = "│"
        return canvas

    def tapped(canvas: list[str], sources: set[int], left: int, right: int) -> list[str]:
        for column in range(left, right):
            canvas[column] = "┼" if canvas[column] == "│" else "─"
        for source in sources:
            canvas[start + source * spacing] = "●"
        return canvas

    outputs = set(cell.output_states)
    canvas = standing(first)
    canvas[: len(head)] = head
    if outputs:
        tapped(canvas, outputs, len(head), start + max(outputs) * spacing)
    for line, text in enumerate(_wrapped(_output_text(cell), room)):
        yield row(canvas if not line else standing(first), text)
    for state in range(first - 1, cell.inputs - 1, -1):
        yield row(standing(state + 1), "")
        node = cell.nodes[state - cell.inputs]
        sources = {edge.source for edge in node.edges}
        column = start + state * spacing
        canvas = standing(state)
        if sources:
            tapped(canvas, sources, start + min(sources) * spacing, column)
        canvas[column : column + len(str(state))] = str(state)
        for line, text in enumerate(_wrapped(node_text(cell, state - cell.inputs), room)):
            yield row(canvas if not line else standing(state), text)
    yield row(standing(cell.inputs), "")
    canvas = [" "] * rails
    for state in range(cell.inputs):
        canvas[start + state * spacing] = str(state)
    yield row(canvas, _inputs_text(cell))


def _rail_tops(cell: Cell) -> list[int]:
    """The highest state that reads each state; the output counts as one more, an unread state as
    its own top."""
    states = cell.inputs + len(cell.nodes)
    tops = list(range(-1, states - 1))
    for index, node in enumerate(cell.nodes):
        for edge in node.edges:
            tops[edge.source] = max(tops[edge.source], cell.inputs + index)
    for state in cell.output_states:
        tops[state] = states
    return tops


def _output_text(cell: Cell) -> str:
    outputs = cell.output_states
    return (
        f"concat({', '.join(map(str, outputs))})"
        if len(outputs) > 1
        else f"= {outputs[0]}"
        if outputs
        else "nothing"
    )


def _inputs_text(cell: Cell) -> str:
    return ", ".join(f"{state} = {input_name(state, cell.inputs)}" for state in range(cell.inputs))


def _wrapped(text: str, room: int) -> list[str]:
    return wrap(
        text, room, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    ) or [""]


def _colored(text: str, genotype: Genotype) -> str:
    ops = {
        edge.op for cell in genotype.cells.values() for node in cell.nodes for edge in node.edges
    }
    names = re.compile(rf"\b({'|'.join(map(re.escape, sorted(ops)))})(?=\()")
    text = names.sub(lambda found: f"\x1b[38;5;{_TONES[kind_of(found[0])]}m{found[0]}\x1b[0m", text)
    for mark in "│┼─":
        text = text.replace(mark, f"\x1b[2m{mark}\x1b[0m")
    return text
