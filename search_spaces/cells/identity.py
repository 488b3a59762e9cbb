"""When two genotypes are one: a key that is the same exactly for the same function up to the
rewrites listed here.

A cell becomes a rooted, labelled, directed acyclic graph, and the key is a digest of its canonical
form. So the order of edges, of independent nodes and of outputs says nothing, nor does spelling out
loose ends. What carries nothing goes: nodes that reach no output, `none` edges (a concat node keeps
the gap they leave), and every operation on a state into which nothing flows.

A node of a cell with two inputs is a thing of its own, because any edge there may hold weights: the
same edge twice is not one edge, and reading two equal nodes is not reading one of them twice.

In a cell with one input (NAS-Bench-201) every edge keeps the shape and only convolutions hold
weights. So identity edges are inlined into the sums that read them and equal pools of one state are
one value, while each convolution is a thing of its own and a state that is read twice is shared.
The 15,625 architectures of NAS-Bench-201 have 5,260 keys. (A convolution of a state into which
nothing flows would bring the shift of its normalisation, a constant that starts at zero; like the
benchmark we say that it carries nothing. Keys that kept it would number 5,875. That average pooling
is linear, so that a pooled sum is a sum of pools, is not among the rewrites; with it there would be
5,044.)
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

from search_spaces.cells.canonical import Form, Graph, canonical_form
from search_spaces.cells.edges import OP_NAMES, Cell, Node

_POOLS = frozenset(op for op in OP_NAMES if op.startswith(("avg_", "max_")))
_DIGITS = 20

Value = tuple[tuple[int, int], ...]  # a sum: (how often, vertex), sorted; empty where nothing flows


def key_of(space: str, cells: Mapping[str, Cell], choices: Mapping[str, int | str] | None) -> str:
    """Twenty hexadecimal digits, or what NAS-Bench-101 publishes. The name of the space counts only
    for bare choices: equal cells are equal anywhere."""
    content: object
    if choices is not None:
        if space == "nasbench101":
            from search_spaces.cells.nasbench101_hash import hash_of_choices

            if (published := hash_of_choices(choices)) is not None:
                return published
        content = (space, sorted(choices.items()))
    else:
        content = [(role, cell_form(cell)) for role, cell in sorted(cells.items())]
    return hashlib.sha256(repr(content).encode()).hexdigest()[:_DIGITS]


def cell_form(cell: Cell) -> Form:
    """The canonical form of a cell: equal for two cells exactly when they are one function."""
    return canonical_form(_Inlined(cell).graph if cell.inputs == 1 else _wired(cell))


def _wired(cell: Cell) -> Graph:
    """One vertex per node and one arc per edge; the last vertex stands for the output."""
    graph: Graph = [(f"input {state}", ()) for state in range(cell.inputs)]
    vertices: list[int | None] = list(range(cell.inputs))
    nothing = len(graph)
    graph.append(("nothing", ()))
    for node in cell.nodes:
        arcs = [
            (edge.op, vertex)
            for edge in node.edges
            if edge.op != "none" and (vertex := vertices[edge.source]) is not None
        ]
        if not arcs:
            vertices.append(None)
            continue
        if node.combine == "concat":
            arcs += [("none", nothing)] * (len(node.edges) - len(arcs))
        vertices.append(len(graph))
        graph.append((node.combine, arcs))
    outputs = [vertices[state] for state in cell.output_states]
    graph.append(("output", [("", nothing if vertex is None else vertex) for vertex in outputs]))
    return graph


class _Inlined:
    """The graph of a cell with one input: a vertex per convolution, per distinct pool, and per
    distinct sum put out."""

    def __init__(self, cell: Cell) -> None:
        self.graph: Graph = [("input", ())]
        self._shared: dict[tuple[str, Value], int] = {}
        values: list[Value] = [((1, 0),)]
        for node in cell.nodes:
            brought = [self._brought(edge.op, values[edge.source]) for edge in node.edges]
            values.append(self._combined(node, brought))
        outputs = [values[state] for state in cell.output_states]
        self.graph.append(("output", outputs[0] if len(outputs) == 1 else self._listed(outputs)))

    def _brought(self, op: str, value: Value) -> Value:
        """What an edge with this operation brings from a state of this value."""
        if op == "none" or not value:
            return ()
        if op == "identity":
            return value
        return ((1, self._one(op, value) if op in _POOLS else self._own(op, value)),)

    def _combined(self, node: Node, brought: list[Value]) -> Value:
        flowing = [value for value in brought if value]
        if node.combine == "concat" and flowing:
            return ((1, self._own("concat", self._listed(brought))),)
        if len(flowing) < 2:
            return flowing[0] if flowing else ()
        counts: dict[int, int] = {}
        for value in flowing:
            for count, vertex in value:
                counts[vertex] = counts.get(vertex, 0) + count
        return tuple(sorted([(count, vertex) for vertex, count in counts.items()]))

    def _listed(self, values: list[Value]) -> Value:
        """Several sums side by side, in an order that says nothing."""
        counts = Counter(self._one("sum", value) for value in values)
        return tuple(sorted((count, vertex) for vertex, count in counts.items()))

    def _own(self, label: str, value: Value) -> int:
        self.graph.append((label, value))
        return len(self.graph) - 1

    def _one(self, label: str, value: Value) -> int:
        if (label, value) not in self._shared:
            self._shared[label, value] = self._own(label, value)
        return self._shared[label, value]
