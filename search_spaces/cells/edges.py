"""What a cell is made of: edges, nodes in which they end, and the states put out (stdlib only)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

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
NASBENCH201_OPS = ("none", "identity", "conv_1x1", "conv_3x3", "avg_3x3")
"""In the order of the digits in the benchmark's tables."""

# The operations of ops.py, read from its text: to import it takes torch, and a second.
OP_NAMES: tuple[str, ...] = tuple(
    re.findall(
        r"^@op\ndef (\w+)", Path(__file__).with_name("ops.py").read_text("utf-8"), re.MULTILINE
    )
)


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
