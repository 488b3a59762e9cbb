"""A space of bare decisions, for wherever the controller answers questions that are no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import Choices, Decision, SearchSpace
from search_spaces.errors import SpaceError, shortened


@final
class PlainSpace(SearchSpace):
    """Decisions by name; a genotype is the option taken for each."""

    name = "plain"

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self._decisions = tuple(decisions)

    @classmethod
    def of(cls, *counts: int) -> PlainSpace:
        """Decisions `d0`, `d1`, ... with so many options each."""
        return cls(
            [Decision(f"d{index}", tuple(range(count))) for index, count in enumerate(counts)]
        )

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """As given."""
        return self._decisions

    def decode(self, choices: Sequence[int]) -> Genotype:
        """The options behind the choices."""
        pairs = zip(self.decisions, self.checked(choices), strict=True)
        return Genotype(
            self.name,
            choices={decision.name: decision.options[choice] for decision, choice in pairs},
        )

    def encode(self, genotype: Genotype) -> Choices:
        """The choices behind the options."""
        taken = genotype.choices or {}
        try:
            return tuple(
                decision.options.index(taken[decision.name]) for decision in self.decisions
            )
        except (KeyError, ValueError) as problem:
            raise SpaceError(
                f"{shortened(dict(taken))} does not answer every decision of this space"
            ) from problem
