"""The one currency: a genotype says which edges a cell has, and which operation stands on each (stdlib only).

States of a cell are numbered 0 (older input), 1 (newer input), 2 + k (result of node k). A cell of NAS-Bench-201
has one input: 0 (input), 1 + k (result of node k).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Combine = Literal["add", "concat"]


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
        return self.loose_ends if self.outputs is None else self.outputs


@dataclass(frozen=True, slots=True)
class Genotype:
    """What was drawn: one cell per role, or (space `table`) bare choices by decision name."""

    space: str
    cells: Mapping[str, Cell] = field(default_factory=dict)
    choices: Mapping[str, int | str] | None = None
