"""The contract of a search space: named decisions, and the genotypes they decode to."""

from __future__ import annotations

import hashlib
import json
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np

from search_spaces.cells import check_op
from search_spaces.cells.genotype import Cell, Genotype
from search_spaces.errors import GenotypeError, SpaceError, known_names, shortened

if TYPE_CHECKING:
    import torch
    from torch import nn

    from search_spaces.cells.skeleton import Skeleton

Choices = tuple[int, ...]
Name = TypeVar("Name", bound=str)


@dataclass(frozen=True, slots=True)
class Decision:
    """One question a strategy answers: a name and the allowed answers."""

    name: str
    options: tuple[int | str, ...]


class SearchSpace(ABC):
    """What can be drawn: a list of decisions, and a one-to-one map between choices (an option index
    per decision) and genotypes.

    - `decisions` never change, have different names, and each has different options; what follows
      from them (`counts`, `size`, `fingerprint`) is computed once.
    - `encode(decode(choices))` gives the choices back. Both refuse what is wrong with a
      `SpaceError` in one sentence: choices by way of `checked`, strangers by way of `check_roles`,
      `check_shape` and their like.
    - Genotypes carry the space's `name`; their operations are those of `nas list ops`, or of the
      space's own file (`search_spaces.cells.ops.op`).
    - It can be pickled. Options are keyword arguments behind `*`, with defaults in JSON.
    - `sample` and `mutate` are uniform over decisions and draw from the generator they are given.

    `nas.testing.check_space` tries all of it.

    >>> from search_spaces.cells.genotype import Cell, Edge, Genotype, Node
    >>> from search_spaces.cells.space import Decision, SearchSpace
    >>> class TwoEdges(SearchSpace):
    ...     name = "two-edges"
    ...     _decisions = tuple(Decision(side, ("sep_3x3", "max_3x3")) for side in ("a", "b"))
    ...
    ...     @property
    ...     def decisions(self):
    ...         return self._decisions
    ...
    ...     def decode(self, choices):
    ...         a, b = (self.decisions[0].options[choice] for choice in self.checked(choices))
    ...         cell = Cell((Node((Edge(0, a), Edge(1, b))),))
    ...         return Genotype(self.name, {"normal": cell, "reduction": cell})
    ...
    ...     def encode(self, genotype):
    ...         self.check_roles(genotype, ("normal", "reduction"))
    ...         every = {self.decode((a, b)): (a, b) for a in (0, 1) for b in (0, 1)}
    ...         if genotype not in every:
    ...             raise SpaceError(f"this is no cell of space {self.name!r}")
    ...         return every[genotype]
    >>> space = TwoEdges()
    >>> space.size, space.encode(space.decode((0, 1)))
    (4, (0, 1))
    """

    name: ClassVar[str]

    @property
    @abstractmethod
    def decisions(self) -> tuple[Decision, ...]:
        """Every decision, in the order in which strategies answer them."""

    @abstractmethod
    def decode(self, choices: Sequence[int]) -> Genotype:
        """The genotype these choices stand for."""

    @abstractmethod
    def encode(self, genotype: Genotype) -> Choices:
        """The choices that decode to this genotype; refuses in one sentence what is not a
        member."""

    def build(
        self, genotype: Genotype, skeleton: Skeleton, generator: torch.Generator | None = None
    ) -> nn.Module:
        """The network of this genotype inside this skeleton, its weights drawn from the
        generator."""
        from search_spaces.cells.network import build_network

        return build_network(genotype, skeleton, generator)

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """How many options each decision has."""
        return tuple(len(decision.options) for decision in self.decisions)

    @cached_property
    def size(self) -> int:
        """How many choice sequences there are, exactly."""
        return math.prod(self.counts)

    @property
    def architectures(self) -> int:
        """How many there are, where it is known that choices share one or stand for none."""
        return self.size

    def flaw(self, genotype: Genotype) -> str | None:
        """Why a drawing is no architecture after all, and is skipped; None for what is one."""
        del genotype
        return None

    @cached_property
    def fingerprint(self) -> str:
        """Changes with anything that changes the space."""
        content = [
            self.name,
            [[decision.name, list(decision.options)] for decision in self.decisions],
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    @cached_property
    def _counts_array(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array(self.counts, dtype=np.float64)

    def sample(self, rng: np.random.Generator) -> Genotype:
        """A genotype drawn uniformly over decisions."""
        counts = self._counts_array
        return self.decode((rng.random(len(counts)) * counts).astype(np.int64).tolist())

    def mutate(self, genotype: Genotype, rng: np.random.Generator) -> Genotype:
        """The genotype with one decision, drawn uniformly, answered differently."""
        choices = list(self.encode(genotype))
        open_decisions = [index for index, count in enumerate(self.counts) if count > 1]
        if not open_decisions:
            raise SpaceError(
                f"space {self.name!r} has a single architecture, so nothing can be mutated"
            )
        index = open_decisions[int(rng.integers(len(open_decisions)))]
        step = 1 + int(rng.integers(self.counts[index] - 1))
        choices[index] = (choices[index] + step) % self.counts[index]
        return self.decode(choices)

    def checked(self, choices: Sequence[int]) -> Choices:
        """The choices as a tuple of plain integers, after a look at their number and range."""
        counts = self.counts
        try:
            answers = tuple(map(operator.index, choices))
        except TypeError:
            raise SpaceError(
                f"choices are option indices, but these are {shortened(choices)}"
            ) from None
        if len(answers) != len(counts):
            raise SpaceError(
                f"space {self.name!r} has {len(counts)} decisions, but {len(answers)} choices "
                "were given"
            )
        if min(answers) < 0 or not all(map(operator.lt, answers, counts)):
            self._refuse(answers)
        return answers

    def _refuse(self, answers: Choices) -> None:
        for decision, choice in zip(self.decisions, answers, strict=True):
            if not 0 <= choice < len(decision.options):
                raise SpaceError(
                    f"decision {decision.name!r} of space {self.name!r} has options 0 to "
                    f"{len(decision.options) - 1}, "
                    f"but the choice is {shortened(choice)}"
                )

    def check_roles(self, genotype: Genotype, roles: Sequence[str]) -> None:
        """Refuse a genotype of another space or with other roles."""
        if genotype.space != self.name:
            raise SpaceError(
                f"the genotype is of space {shortened(genotype.space)}, not of {self.name!r}"
            )
        if genotype.choices is not None or set(genotype.cells) != set(roles):
            found = ", ".join(genotype.cells) or "none"
            raise SpaceError(
                f"a genotype of space {self.name!r} has the cells {', '.join(roles)}; this one "
                f"has {found}"
            )
        if genotype.settings:
            raise SpaceError(
                f"the genotype chose {', '.join(genotype.settings)}, which this search does not "
                "decide: give several values of it, or leave it out of the genotype"
            )

    def check_shape(self, cell: Cell, role: str, *, nodes: int, inputs: int) -> None:
        """Refuse a cell with another number of nodes or inputs."""
        if (len(cell.nodes), cell.inputs) != (nodes, inputs):
            raise SpaceError(
                f"the {role} cell has {len(cell.nodes)} nodes and {cell.inputs} inputs; "
                f"a cell of this space {self.name!r} has {nodes} and {inputs}"
            )

    def check_loose_ends(self, cell: Cell, role: str) -> None:
        """Refuse a cell that puts out anything but its loose ends."""
        if cell.outputs is not None and cell.output_states != cell.loose_ends:
            raise SpaceError(
                f"the {role} cell puts out states {', '.join(map(str, cell.output_states))}, not "
                f"just its loose ends, as every cell that space {self.name!r} draws"
            )

    def op_indices(self, cell: Cell, ops: Sequence[str], role: str) -> list[list[int]]:
        """Where the operations of each node stand in a list of options."""
        indices = {op: index for index, op in enumerate(ops)}
        for number, node in enumerate(cell.nodes):
            for edge in node.edges:
                if edge.op not in indices:
                    raise SpaceError(
                        f"node {number} of the {role} cell: space {self.name!r}: "
                        f"{known_names(edge.op, ops, 'op')}"
                    )
        return [[indices[edge.op] for edge in node.edges] for node in cell.nodes]


def checked_count(value: int, option: str, most: int) -> int:
    """An option of a space that counts something."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise SpaceError(f"{option} is {shortened(value)}; expected an integer from 1 to {most}")
    return value


def checked_names(values: Sequence[str], option: str, known: Sequence[Name]) -> tuple[Name, ...]:
    """An option of a space that lists some of the known names, each once."""
    chosen = _distinct(values, option)
    for value in chosen:
        if value not in known:
            raise SpaceError(f"{option}: {known_names(value, known, 'option')}")
    return tuple(known[known.index(value)] for value in chosen)


def checked_ops(values: Sequence[str], option: str = "ops") -> tuple[str, ...]:
    """An option of a space that lists operations, each once."""
    chosen = _distinct(values, option)
    for value in chosen:
        try:
            check_op(value)
        except GenotypeError as problem:
            raise SpaceError(f"{option}: {problem}") from None
    return chosen


def _distinct(values: Sequence[str], option: str) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise SpaceError(f"{option} is {shortened(values)}; expected a list of at least one name")
    chosen = tuple(values)
    if not all(isinstance(value, str) for value in chosen) or len(set(chosen)) < len(chosen):
        raise SpaceError(f"{option} is {shortened(list(chosen))}; expected different names")
    return chosen
