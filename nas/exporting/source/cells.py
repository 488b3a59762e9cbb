"""A cell of an exported file as text: a class whose `forward` reads like the drawing, and names for
its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from search_spaces.cells.genotype import Cell, Node


@dataclass(frozen=True, slots=True)
class WrittenEdge:
    """One operation: its place among the node's edges, the attribute that holds it, the state it
    reads."""

    place: int
    attribute: str
    op: str
    source: int


def written_edges(cell: Cell, k: int) -> list[WrittenEdge]:
    """The edges of node k that say something: in a sum, `none` adds nothing."""
    node, state = cell.nodes[k], cell.inputs + k
    live = [
        j for j, edge in enumerate(node.edges) if edge.op != "none" or node.combine == "concat"
    ] or [0]
    ops = [node.edges[j].op for j in live]
    names = [
        f"h{state}_{op}" + (f"_{ops[:at].count(op) + 1}" if ops.count(op) > 1 else "")
        for at, op in enumerate(ops)
    ]
    return [
        WrittenEdge(j, name, node.edges[j].op, node.edges[j].source)
        for j, name in zip(live, names, strict=True)
    ]


def weight_names(cell: Cell) -> Mapping[str, str]:
    """For each part of our module of a cell, what the written class calls it; both are beginnings
    of weights' names."""
    names = {f"align.{state}.": f"output_h{state}." for state in range(cell.inputs)}
    for k in range(len(cell.nodes)):
        names |= {
            f"nodes.{k}.edges.{edge.place}.": f"{edge.attribute}."
            for edge in written_edges(cell, k)
        }
        names[f"nodes.{k}.squeeze."] = f"h{cell.inputs + k}_squeeze."
    return names


def cell_text(role: str, cell: Cell) -> str:
    """The class of a cell with two inputs."""
    reduces = role == "reduction"
    sentence = "Halves the map. " if reduces else ""
    lines = [
        f"class {role.capitalize()}Cell(nn.Module):",
        f'    """{sentence}h0 is the older input, h1 the newer one:',
        "",
        *(f"    {line}" for line in _formulas(cell)),
        '    """',
        "",
        (
            "    def __init__(self, older: int | None, newer: int, filters: int, larger: bool = "
            "False):"
        ),
        "        super().__init__()",
        "        self.fit = fit_older(older, filters, larger)",
        "        self.begin = rectified(first=conv_bn(newer, filters, 1))",
        *_width_of_h0(cell, reduces),
        *(f"        {line}" for line in _members(cell, reduces)),
        *(f"        {line}" for line in _outputs_made(cell, reduces)),
        "",
        "    def forward(self, older: Tensor, newer: Tensor) -> Tensor:",
        *_inputs_made(cell),
        *(f"        {line}" for line in _steps(cell)),
        f"        {_returned(cell, reduces)}",
    ]
    return "\n".join(lines)


def single_input_cell_text(cell: Cell) -> str:
    """The class of a cell of NAS-Bench-201: one input, h0, and one output."""
    lines = [
        "class NormalCell(nn.Module):",
        '    """Keeps width and map; h0 is the input:',
        "",
        *(f"    {line}" for line in _formulas(cell)),
        '    """',
        "",
        "    def __init__(self, filters: int):",
        "        super().__init__()",
        *(f"        {line}" for line in _members(cell, reduces=False)),
        "",
        "    def forward(self, h0: Tensor) -> Tensor:",
        *(f"        {line}" for line in _steps(cell)),
        f"        return h{cell.output_states[0]}",
    ]
    return "\n".join(lines)


def aligned_states(cell: Cell, reduces: bool) -> list[int]:
    """The inputs among the outputs whose shape may have to be matched."""
    return [
        state for state in cell.output_states if state < cell.inputs and (reduces or state == 0)
    ]


def _formulas(cell: Cell) -> Iterator[str]:
    for k, node in enumerate(cell.nodes):
        terms = [f"{edge.op}(h{edge.source})" for edge in written_edges(cell, k)]
        formula = (
            " + ".join(terms)
            if node.combine == "add"
            else f"1x1 convolution of [{', '.join(terms)}]"
        )
        yield f"h{cell.inputs + k} = {formula}"
    yield "output = " + (_listed(cell) if cell.inputs == 2 else f"h{cell.output_states[0]}")


def _listed(cell: Cell) -> str:
    return f"[{', '.join(f'h{state}' for state in cell.output_states)}]"


def _width_of_h0(cell: Cell, reduces: bool) -> list[str]:
    read = any(edge.source == 0 for k in range(len(cell.nodes)) for edge in written_edges(cell, k))
    if read or 0 in aligned_states(cell, reduces):
        return ["        width = newer if older is None else filters  # of h0"]
    return []


def _members(cell: Cell, reduces: bool) -> Iterator[str]:
    """What `__init__` makes for the nodes."""
    for k, node in enumerate(cell.nodes):
        for edge in written_edges(cell, k):
            width = "width" if edge.source == 0 and cell.inputs == 2 else "filters"
            stride = ", stride=2" if reduces and edge.source < cell.inputs else ""
            yield f"self.{edge.attribute} = {edge.op}({width}, filters{stride})"
        if node.combine == "concat":
            joined = f"{len(node.edges)} * filters"
            yield (
                f"self.h{cell.inputs + k}_squeeze = rectified(first=conv_bn({joined}, filters, 1))"
            )


def _outputs_made(cell: Cell, reduces: bool) -> Iterator[str]:
    for state in aligned_states(cell, reduces):
        width = "width" if state == 0 else "filters"
        yield f"self.output_h{state} = match({width}, filters, {2 if reduces else 1})"


def _inputs_made(cell: Cell) -> Iterator[str]:
    for state, made in enumerate(("self.fit(older)", "self.begin(newer)")):
        if state in _read(cell):
            yield f"        h{state} = {made}"
        else:
            yield f"        # nothing in this cell reads h{state}"


def _read(cell: Cell) -> set[int]:
    """The states that the output depends on; the others are not computed."""
    read = set(cell.output_states)
    for k in reversed(range(len(cell.nodes))):
        if cell.inputs + k in read:
            read |= {edge.source for edge in written_edges(cell, k)}
    return read


def _steps(cell: Cell) -> Iterator[str]:
    """What `forward` does for the nodes."""
    read = _read(cell)
    for k, node in enumerate(cell.nodes):
        if cell.inputs + k not in read:
            continue
        terms = [f"self.{edge.attribute}(h{edge.source})" for edge in written_edges(cell, k)]
        yield from _assigned(f"h{cell.inputs + k}", node, terms)


def _assigned(state: str, node: Node, terms: list[str]) -> list[str]:
    line = f"{state} = {' + '.join(terms)}"
    if node.combine == "concat":
        line = f"{state} = self.{state}_squeeze(torch.cat([{', '.join(terms)}], dim=1))"
    if len(line) <= 112:
        return [line]
    if node.combine == "concat":
        parts = [f"parts = [{', '.join(terms)}]"]
        parts = (
            parts
            if len(parts[0]) <= 112
            else ["parts = [", *(f"    {term}," for term in terms), "]"]
        )
        return [*parts, f"{state} = self.{state}_squeeze(torch.cat(parts, dim=1))"]
    return [f"{state} = (", f"    {terms[0]}", *(f"    + {term}" for term in terms[1:]), ")"]


def _returned(cell: Cell, reduces: bool) -> str:
    aligned = aligned_states(cell, reduces)
    parts = [
        f"self.output_h{state}(h{state})" if state in aligned else f"h{state}"
        for state in cell.output_states
    ]
    return (
        f"return torch.cat([{', '.join(parts)}], dim=1)" if len(parts) > 1 else f"return {parts[0]}"
    )
