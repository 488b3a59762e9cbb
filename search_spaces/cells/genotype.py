"""The one currency: a genotype says which edges a cell has, and which operation stands on each
(stdlib only).

States of a cell are numbered 0 (older input), 1 (newer input), 2 + k (result of node k). A cell of
NAS-Bench-201 has one input: 0 (input), 1 + k (result of node k).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from search_spaces.cells import (
    COMBINES,
    NASNET_OPS,
    OP_NAMES,
    SCHEMA,
    SCHEMA_WITH_SETTINGS,
    Combine,
    Pairs,
    Setting,
)
from search_spaces.cells.canonical import Form, Graph, canonical_form

__all__ = [
    "COMBINES",
    "NASNET_OPS",
    "OP_NAMES",
    "Cell",
    "Combine",
    "Edge",
    "Genotype",
    "Node",
    "Pairs",
    "shared_node",
]

_POOLS = frozenset(op for op in OP_NAMES if op.startswith(("avg_", "max_")))
_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Edge:
    """One operation that reads one state."""

    source: int
    op: str


@dataclass(frozen=True, slots=True)
class Node:
    """A new state: what its edges bring, combined."""

    edges: tuple[Edge, ...]
    combine: Combine = "add"


@dataclass(frozen=True, slots=True)
class Cell:
    """Nodes in an order in which each reads only earlier states; `outputs` None means all loose
    ends."""

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...] | None = None
    inputs: int = 2

    @property
    def loose_ends(self) -> tuple[int, ...]:
        """The states of nodes that no node reads."""
        used = {edge.source for node in self.nodes for edge in node.edges}
        return tuple(s for s in range(self.inputs, self.inputs + len(self.nodes)) if s not in used)

    @property
    def output_states(self) -> tuple[int, ...]:
        """What the cell puts out, spelled out, in ascending order."""
        return self.loose_ends if self.outputs is None else tuple(sorted(self.outputs))


@lru_cache(maxsize=1 << 15)
def shared_node(pairs: Pairs, combine: Combine) -> Node:
    """The node with these (source, op) edges: one object for all genotypes that have it, as studies
    hold many."""
    return Node(tuple(_shared_edge(source, op) for source, op in pairs), combine)


@lru_cache(maxsize=1 << 12)
def _shared_edge(source: int, op: str) -> Edge:
    return Edge(source, op)


@dataclass(frozen=True, slots=True)
class Genotype:
    """What was drawn: one cell per role, or (space `table`) bare choices by decision name.

    Args:
        settings: of the skeleton and the recipe, where the search decided some of them:
            `{"skeleton.filters": 24}`.
    """

    space: str
    cells: Mapping[str, Cell] = field(default_factory=dict)
    choices: Mapping[str, int | str] | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    _key: str | None = field(default=None, init=False, compare=False, repr=False)

    def __hash__(self) -> int:
        """Equal genotypes hash alike, in whatever order their roles were written."""
        choices = None if self.choices is None else frozenset(self.choices.items())
        settings = frozenset(self.settings.items())
        return hash((self.space, frozenset(self.cells.items()), choices, settings))

    @property
    def key(self) -> str:
        """The same for two genotypes exactly when they are one function: see `cell_form`."""
        if self._key is None:
            key = _key_of(self.space, self.cells, self.choices, self.settings)
            object.__setattr__(self, "_key", key)
        assert self._key is not None
        return self._key

    def to_dict(self) -> dict[str, Any]:
        """The record that `from_dict` reads, ready for `json.dumps`."""
        record: dict[str, Any] = {"schema": SCHEMA, "space": self.space}
        if self.choices is not None:
            return {**record, "choices": dict(self.choices)}
        record["cells"] = {role: _cell_record(cell) for role, cell in self.cells.items()}
        if self.settings:
            record |= {"schema": SCHEMA_WITH_SETTINGS, "settings": dict(self.settings)}
        return record

    def settings_of(self, table: str) -> dict[str, Setting]:
        """What it chose of the `skeleton` or of the `recipe`, by the names of these settings."""
        return {
            name.partition(".")[2]: value
            for name, value in self.settings.items()
            if name.startswith(f"{table}.")
        }

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, record: object) -> Genotype:
        """The genotype of a parsed JSON record; refuses in one sentence what is none."""
        from search_spaces.cells.json_form import from_record  # a fresh search reads none

        space, cells, choices, settings = from_record(record)
        made = {
            role: Cell(tuple([shared_node(pairs, how) for pairs, how in nodes]), outputs, inputs)
            for role, (nodes, outputs, inputs) in cells.items()
        }
        return cls(space, made, choices, settings)

    @classmethod
    def from_json(cls, text: str | bytes) -> Genotype:
        """The genotype of a JSON text; refuses in one sentence what is none."""
        from search_spaces.cells.json_form import parsed

        return cls.from_dict(parsed(text))


def _cell_record(cell: Cell) -> dict[str, Any]:
    record: dict[str, Any] = {
        "nodes": [
            {"edges": [[edge.source, edge.op] for edge in node.edges], "combine": node.combine}
            for node in cell.nodes
        ]
    }
    if cell.outputs is not None:
        record["outputs"] = list(cell.outputs)
    if cell.inputs != 2:
        record["inputs"] = cell.inputs
    return record


# ------------------------------------------------------------------ when two genotypes are one

Value = tuple[tuple[int, int], ...]  # a sum: (how often, vertex), sorted; empty where nothing flows


def _key_of(
    space: str,
    cells: Mapping[str, Cell],
    choices: Mapping[str, int | str] | None,
    settings: Mapping[str, Setting],
) -> str:
    """Twenty hexadecimal digits, or what NAS-Bench-101 publishes. The name of the space counts only
    for bare choices: equal cells are equal anywhere, under equal settings."""
    content: object
    if choices is not None:
        if space == "nasbench101":
            from search_spaces.cells.nasbench101_hash import hash_of_choices

            if (published := hash_of_choices(choices)) is not None:
                return published
        content = (space, sorted(choices.items()))
    else:
        content = [(role, cell_form(cell)) for role, cell in sorted(cells.items())]
        if settings:
            content = (content, sorted(settings.items()))
    return hashlib.sha256(repr(content).encode()).hexdigest()[:_DIGITS]


def cell_form(cell: Cell) -> Form:
    """The canonical form of a cell: equal for two cells exactly when they are one function.

    A cell becomes a rooted, labelled, directed acyclic graph, and the key is a digest of its
    canonical form. So the order of edges, of independent nodes and of outputs says nothing, nor
    does spelling out loose ends. What carries nothing goes: nodes that reach no output, `none`
    edges (a concat node keeps the gap they leave), and every operation on a state into which
    nothing flows.

    A node of a cell with two inputs is a thing of its own, because any edge there may hold weights:
    the same edge twice is not one edge, and reading two equal nodes is not reading one of them
    twice.

    In a cell with one input (NAS-Bench-201) every edge keeps the shape and only convolutions hold
    weights. So identity edges are inlined into the sums that read them and equal pools of one state
    are one value, while each convolution is a thing of its own and a state that is read twice is
    shared. The 15,625 architectures of NAS-Bench-201 have 5,260 keys. (A convolution of a state
    into which nothing flows would bring the shift of its normalisation, a constant that starts at
    zero; like the benchmark we say that it carries nothing. Keys that kept it would number 5,875.
    That average pooling is linear, so that a pooled sum is a sum of pools, is not among the
    rewrites; with it there would be 5,044.)
    """
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
