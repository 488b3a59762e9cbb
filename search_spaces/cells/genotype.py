"""The one currency: a genotype says which edges a cell has, and which operation stands on each (stdlib only).

States of a cell are numbered 0 (older input), 1 (newer input), 2 + k (result of node k). A cell of NAS-Bench-201
has one input: 0 (input), 1 + k (result of node k).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

Combine = Literal["add", "concat"]
Pairs = tuple[tuple[int, str], ...]

COMBINES: tuple[Combine, ...] = ("add", "concat")
NASNET_OPS = (
    "identity",
    "conv_1x3_3x1",
    "conv_1x7_7x1",
    "dil_3x3",
    "avg_3x3",
    "max_3x3",
    "max_5x5",
    "max_7x7",
    "conv_1x1",
    "conv_3x3",
    "sep_3x3",
    "sep_5x5",
    "sep_7x7",
)
OP_NAMES = (*NASNET_OPS, "none", "dil_5x5")


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
    """Nodes in an order in which each reads only earlier states; `outputs` None means all loose ends."""

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


@dataclass(frozen=True, slots=True)
class Genotype:
    """What was drawn: one cell per role, or (space `table`) bare choices by decision name."""

    space: str
    cells: Mapping[str, Cell] = field(default_factory=dict)
    choices: Mapping[str, int | str] | None = None
    _key: str | None = field(default=None, init=False, compare=False, repr=False)

    def __hash__(self) -> int:
        """Equal genotypes hash alike, in whatever order their roles were written."""
        choices = None if self.choices is None else frozenset(self.choices.items())
        return hash((self.space, frozenset(self.cells.items()), choices))

    @property
    def key(self) -> str:
        """The same for two genotypes exactly when they are one function: see `search_spaces.cells.identity`."""
        if self._key is None:
            from search_spaces.cells.identity import key_of

            object.__setattr__(self, "_key", key_of(self))
        assert self._key is not None
        return self._key

    def to_dict(self) -> dict[str, Any]:
        """The record that `from_dict` reads, ready for `json.dumps`."""
        from search_spaces.cells.json_form import as_record

        return as_record(self)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, record: object) -> Genotype:
        """The genotype of a parsed JSON record; refuses in one sentence what is none."""
        from search_spaces.cells.json_form import from_record

        return from_record(record)

    @classmethod
    def from_json(cls, text: str | bytes) -> Genotype:
        """The genotype of a JSON text; refuses in one sentence what is none."""
        from search_spaces.cells.json_form import from_record, parsed

        return from_record(parsed(text))


@lru_cache(maxsize=1 << 15)
def shared_node(pairs: Pairs, combine: Combine) -> Node:
    """The node with these (source, op) edges: one object for all genotypes that have it, as studies hold many."""
    return Node(tuple(_shared_edge(source, op) for source, op in pairs), combine)


@lru_cache(maxsize=1 << 12)
def _shared_edge(source: int, op: str) -> Edge:
    return Edge(source, op)
