"""The one currency: a genotype says which edges a cell has, and which operation stands on each
(stdlib only).

States of a cell are numbered 0 (older input), 1 (newer input), 2 + k (result of node k). A cell of
NAS-Bench-201 has one input: 0 (input), 1 + k (result of node k).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from search_spaces.cells.edges import (
    COMBINES,
    NASNET_OPS,
    OP_NAMES,
    Cell,
    Combine,
    Edge,
    Node,
    Pairs,
    shared_node,
)
from search_spaces.cells.identity import key_of
from search_spaces.cells.json_form import as_record, from_record, parsed

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
        """The same for two genotypes exactly when they are one function: see
        `search_spaces.cells.identity`."""
        if self._key is None:
            key = key_of(self.space, self.cells, self.choices)
            object.__setattr__(self, "_key", key)
        assert self._key is not None
        return self._key

    def to_dict(self) -> dict[str, Any]:
        """The record that `from_dict` reads, ready for `json.dumps`."""
        return as_record(self.space, self.cells, self.choices)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, record: object) -> Genotype:
        """The genotype of a parsed JSON record; refuses in one sentence what is none."""
        return cls(*from_record(record))

    @classmethod
    def from_json(cls, text: str | bytes) -> Genotype:
        """The genotype of a JSON text; refuses in one sentence what is none."""
        return cls(*from_record(parsed(text)))
