"""A space small enough to list: 27 architectures for tests and tutorials."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import product
from typing import ClassVar, final

from search_spaces.cells import ROLES
from search_spaces.cells.genotype import Cell, Genotype, Node, shared_node
from search_spaces.cells.space import Choices, Decision, SearchSpace
from search_spaces.errors import SpaceError

_OPS = ("conv_1x1", "conv_3x3", "sep_3x3")
_RUNGS = ("identity", "avg_3x3", "max_3x3")
_STEPS = (1, 2, 3)


@final
class LadderSpace(SearchSpace):
    """Both cells climb one to three steps: each adds an operation on the newest state and a rung
    from the one before.

    Step k is `op(1 + k) + rung(k)`, and the last step is what the cell puts out. Different choices
    are different functions, so the space has 27 keys.
    """

    name: ClassVar[str] = "ladder"

    _decisions: ClassVar[tuple[Decision, ...]] = (
        Decision("op", _OPS),
        Decision("steps", _STEPS),
        Decision("rung", _RUNGS),
    )

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The operation that climbs, the number of steps, the operation of the rungs."""
        return self._decisions

    def decode(self, choices: Sequence[int]) -> Genotype:
        """The genotype these choices stand for: one cell in both roles."""
        op, steps, rung = self.checked(choices)
        cell = Cell(
            tuple(
                shared_node(((1 + step, _OPS[op]), (step, _RUNGS[rung])), "add")
                for step in range(_STEPS[steps])
            )
        )
        return Genotype(self.name, dict.fromkeys(ROLES, cell))

    def encode(self, genotype: Genotype) -> Choices:
        """The choices of a member."""
        self.check_roles(genotype, ROLES)
        for role, cell in genotype.cells.items():
            if (
                cell.inputs != 2
                or cell.nodes not in self._choices
                or cell.nodes != genotype.cells["normal"].nodes
            ):
                raise SpaceError(
                    f"the {role} cell is no ladder; space {self.name!r} has the same ladder in "
                    "both roles"
                )
            self.check_loose_ends(cell, role)
        return self._choices[genotype.cells["normal"].nodes]

    @cached_property
    def _choices(self) -> dict[tuple[Node, ...], Choices]:
        every = product(*map(range, self.counts))
        return {self.decode(choices).cells["normal"].nodes: choices for choices in every}
