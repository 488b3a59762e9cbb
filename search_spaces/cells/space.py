"""The contract of a search space: named decisions, and the genotypes they decode to."""

from __future__ import annotations

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from search_spaces.cells.genotype import Genotype
from search_spaces.errors import SpaceError, shortened

if TYPE_CHECKING:
    from torch import nn

    from search_spaces.cells.network import Skeleton

Choices = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """One question a strategy answers: a name and the allowed answers."""

    name: str
    options: tuple[int | str, ...]


class SearchSpace(ABC):
    """A list of decisions, and a one-to-one map between choices (an option index per decision) and genotypes."""

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
        """The choices that decode to this genotype; refuses in one sentence what is not a member."""

    @abstractmethod
    def build(self, genotype: Genotype, skeleton: Skeleton) -> nn.Module:
        """The network of this genotype inside this skeleton."""

    @property
    def counts(self) -> tuple[int, ...]:
        """How many options each decision has."""
        return tuple(len(decision.options) for decision in self.decisions)

    @property
    def size(self) -> int:
        """How many choice sequences there are, exactly."""
        return math.prod(self.counts)

    @property
    def fingerprint(self) -> str:
        """Changes with anything that changes the space."""
        content = [self.name, [[decision.name, list(decision.options)] for decision in self.decisions]]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    def sample(self, rng: np.random.Generator) -> Genotype:
        """A genotype drawn uniformly over decisions."""
        return self.decode(rng.integers(0, self.counts).tolist())

    def mutate(self, genotype: Genotype, rng: np.random.Generator) -> Genotype:
        """The genotype with one decision, drawn uniformly, answered differently."""
        choices = list(self.encode(genotype))
        open_decisions = [index for index, count in enumerate(self.counts) if count > 1]
        if not open_decisions:
            raise SpaceError(f"space {self.name!r} has a single architecture, so nothing can be mutated")
        index = open_decisions[int(rng.integers(len(open_decisions)))]
        step = 1 + int(rng.integers(self.counts[index] - 1))
        choices[index] = (choices[index] + step) % self.counts[index]
        return self.decode(choices)

    def checked(self, choices: Sequence[int]) -> Choices:
        """The choices as a tuple, after a look at their number and range."""
        counts = self.counts
        if len(choices) != len(counts):
            raise SpaceError(f"space {self.name!r} has {len(counts)} decisions, but {len(choices)} choices were given")
        for index, (choice, count) in enumerate(zip(choices, counts, strict=True)):
            if not 0 <= choice < count:
                raise SpaceError(
                    f"decision {self.decisions[index].name!r} of space {self.name!r} has options 0 to {count - 1}, "
                    f"but the choice is {shortened(choice)}"
                )
        return tuple(choices)
