"""Cells as a Graphviz text: for those who want to lay them out, or restyle them, with their own
tools."""

from __future__ import annotations

from collections.abc import Iterator

from nas.drawings.cells import input_name, refuse_choices
from nas.drawings.palette import STYLES, kind_of, spoken
from search_spaces.cells.genotype import Cell, Genotype


def cells_dot(genotype: Genotype, title: str | None = None) -> str:
    """All cells of a genotype as one directed graph, a cluster per cell."""
    refuse_choices(genotype)
    lines = [
        f"digraph {quoted(title or genotype.space)} {{",
        '  graph [rankdir=BT, fontname="Helvetica", newrank=true];',
        (
            '  node [fontname="Helvetica", fontsize=11, height=0.3, style=filled, '
            'fillcolor="#ffffff"];'
        ),
        "  edge [arrowsize=0.6];",
    ]
    for role, cell in genotype.cells.items():
        lines += [f"  {line}" for line in _cluster(role, cell)]
    return "\n".join([*lines, "}", ""])


def quoted(text: str) -> str:
    """A text as a DOT identifier."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "")
    return f'"{escaped}"'


def _cluster(role: str, cell: Cell) -> Iterator[str]:
    yield f"subgraph {quoted(f'cluster_{role}')} {{"
    yield f"  label={quoted(f'{role} cell')};"
    for state in range(cell.inputs):
        yield (
            f"  {_state(role, state)} [label={quoted(input_name(state, cell.inputs))}, shape=box];"
        )
    for index in range(len(cell.nodes)):
        for line in _node(role, cell, index):
            yield f"  {line}"
    for line in _output(role, cell):
        yield f"  {line}"
    yield "}"


def _node(role: str, cell: Cell, index: int) -> Iterator[str]:
    state, node = cell.inputs + index, cell.nodes[index]
    yield (
        f"{_state(role, state)} [label={quoted(f'{state}: {node.combine}')}, shape=ellipse, "
        'fillcolor="#e4e7eb"];'
    )
    for place, edge in enumerate(node.edges):
        name = quoted(f"{role}.{state}.{place}")
        style = STYLES["light"][f"op-{kind_of(edge.op)}"]
        form = 'style="filled,rounded,dashed"' if style.dashed else 'style="filled,rounded"'
        yield (
            f"{name} [label={quoted(spoken(edge.op))}, tooltip={quoted(edge.op)}, shape=box, "
            f"{form}, "
            f'fillcolor="{style.fill}", color="{style.stroke}"];'
        )
        yield f"{_state(role, edge.source)} -> {name};"
        yield f"{name} -> {_state(role, state)};"


def _output(role: str, cell: Cell) -> Iterator[str]:
    output, concat = quoted(f"{role}.output"), quoted(f"{role}.concat")
    yield f"{output} [label={quoted('h[i+1]')}, shape=box];"
    if len(cell.output_states) > 1:
        yield (
            f'{concat} [label="concat", shape=box, style="filled,rounded", fillcolor="#46525e", '
            'fontcolor="#ffffff"];'
        )
        yield f"{concat} -> {output};"
    for state in cell.output_states:
        yield f"{_state(role, state)} -> {concat if len(cell.output_states) > 1 else output};"


def _state(role: str, state: int) -> str:
    return quoted(f"{role}.{state}")
