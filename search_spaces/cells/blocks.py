"""Cells of blocks that combine two operations on two earlier states: what the spaces of NASNet,
ENAS, PNAS and AmoebaNet have in common."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

from search_spaces.cells import ROLES
from search_spaces.cells.genotype import (
    COMBINES,
    Cell,
    Combine,
    Genotype,
    Node,
    shared_node,
)
from search_spaces.cells.json_form import MAX_NODES
from search_spaces.cells.space import (
    Choices,
    Decision,
    SearchSpace,
    checked_count,
    checked_names,
    checked_ops,
)
from search_spaces.errors import SpaceError, shortened


class BlockSpace(SearchSpace, ABC):
    """So many blocks x (input, input, op, op, combine) for each cell that is drawn; its outputs are
    its loose ends.

    Args:
        drawn: the cells that are drawn; a reduction cell that is not is the normal one.
    """

    def __init__(
        self,
        *,
        blocks: int,
        ops: Sequence[str],
        combines: Sequence[str],
        drawn: tuple[str, ...] = ROLES,
    ) -> None:
        self.blocks = checked_count(blocks, "blocks", MAX_NODES)
        self.ops = checked_ops(ops)
        self.combines: tuple[Combine, ...] = checked_names(combines, "combines", COMBINES)
        self._drawn = drawn
        self._decisions = tuple(
            Decision(f"{role}.{block}.{question}", options)
            for role in drawn
            for block in range(self.blocks)
            for question, options in self._questions(block)
        )

    def _questions(self, block: int) -> tuple[tuple[str, tuple[int | str, ...]], ...]:
        states = tuple(range(2 + block))
        return (
            ("input_a", states),
            ("input_b", states),
            ("op_a", self.ops),
            ("op_b", self.ops),
            ("combine", self.combines),
        )

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Normal cell first, block by block: input, input, op, op, combine."""
        return self._decisions

    def decode(self, choices: Sequence[int]) -> Genotype:
        """The genotype these choices stand for; its outputs are its loose ends."""
        answers = self.checked(choices)
        half = len(answers) // len(self._drawn)
        normal = self._cell(answers[:half])
        reduction = self._cell(answers[half:]) if len(self._drawn) > 1 else normal
        return Genotype(self.name, {"normal": normal, "reduction": reduction})

    def _cell(self, answers: Choices) -> Cell:
        ops, combines = self.ops, self.combines
        return Cell(
            tuple(
                [
                    shared_node(((input_a, ops[op_a]), (input_b, ops[op_b])), combines[combine])
                    for input_a, input_b, op_a, op_b, combine in zip(
                        *[iter(answers)] * 5, strict=True
                    )
                ]
            )
        )

    def encode(self, genotype: Genotype) -> Choices:
        """The choices of a member: two cells of this many blocks whose outputs are their loose
        ends."""
        self.check_roles(genotype, ROLES)
        cells = genotype.cells
        if len(self._drawn) < len(ROLES) and cells["normal"] != cells["reduction"]:
            raise SpaceError(
                f"the reduction cell differs from the normal one; in space {self.name!r} both are "
                "the same"
            )
        return tuple(
            choice for role in self._drawn for choice in self._cell_choices(cells[role], role)
        )

    def _cell_choices(self, cell: Cell, role: str) -> list[int]:
        self.check_shape(cell, role, nodes=self.blocks, inputs=2)
        self.check_loose_ends(cell, role)
        for index, node in enumerate(cell.nodes):
            self._check_block(node, role, index)
        return [
            choice
            for node, ops in zip(cell.nodes, self.op_indices(cell, self.ops, role), strict=True)
            for choice in self._block_choices(node, ops)
        ]

    def _check_block(self, node: Node, role: str, index: int) -> None:
        if len(node.edges) != 2 or node.combine not in self.combines:
            raise SpaceError(
                f"node {index} of the {role} cell has {len(node.edges)} edges and combines by "
                f"{shortened(node.combine)}; space {self.name!r} has two edges, combined by "
                f"{', '.join(self.combines)}"
            )

    def _block_choices(self, node: Node, ops: Sequence[int]) -> tuple[int, ...]:
        one, two = node.edges
        return (one.source, two.source, *ops, self.combines.index(node.combine))
