"""NAS-Bench-201 (Dong and Yang 2020): one cell of four states, an operation of five on each of its
six edges."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import ClassVar, final

from search_spaces.cells import NASBENCH201_OPS
from search_spaces.cells.genotype import Cell, Genotype, shared_node
from search_spaces.cells.space import Choices, Decision, SearchSpace
from search_spaces.errors import SpaceError

_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


@final
class Nasbench201Space(SearchSpace):
    """15,625 cells: every later state sums what every earlier one brings."""

    name: ClassVar[str] = "nasbench201"
    ops: ClassVar[tuple[str, ...]] = NASBENCH201_OPS

    _decisions: ClassVar[tuple[Decision, ...]] = tuple(
        Decision(f"{source}>{to}", NASBENCH201_OPS) for source, to in _EDGES
    )

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """One per edge, in the order of the benchmark's strings; an option's index is the digit in
        its tables."""
        return self._decisions

    def decode(self, choices: Sequence[int]) -> Genotype:
        """The genotype these choices stand for."""
        a, b, c, d, e, f = self.checked(choices)
        ops = self.ops
        nodes = (
            shared_node(((0, ops[a]),), "add"),
            shared_node(((0, ops[b]), (1, ops[c])), "add"),
            shared_node(((0, ops[d]), (1, ops[e]), (2, ops[f])), "add"),
        )
        return Genotype(self.name, {"normal": Cell(nodes, None, 1)})

    def encode(self, genotype: Genotype) -> Choices:
        """The choices of a cell in which every state reads all earlier ones, in order."""
        self.check_roles(genotype, ("normal",))
        cell = genotype.cells["normal"]
        self.check_shape(cell, "normal", nodes=3, inputs=1)
        self.check_loose_ends(cell, "normal")
        ops = self.op_indices(cell, self.ops, "normal")
        for index, node in enumerate(cell.nodes):
            if [edge.source for edge in node.edges] != list(
                range(1 + index)
            ) or node.combine != "add":
                raise SpaceError(
                    f"node {index} of the normal cell: in space {self.name!r} it adds one edge "
                    "from each of the states "
                    f"0 to {index}, in this order"
                )
        return tuple(chain.from_iterable(ops))
