"""The NASNet space: two cells of blocks that combine two operations on two earlier states (Zoph et
al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from search_spaces.cells.genotype import (
    COMBINES,
    NASNET_OPS,
    Cell,
    Combine,
    Genotype,
    Node,
    shared_node,
)
from search_spaces.cells.json_form import MAX_NODES, ROLES
from search_spaces.cells.space import (
    Choices,
    Decision,
    SearchSpace,
    checked_count,
    checked_names,
    checked_ops,
)
from search_spaces.errors import SpaceError, shortened


@final
class NasnetSpace(SearchSpace):
    """Two cells x five blocks x (input, input, op, op, combine) = 50 decisions over the thirteen
    operations.

    Args:
        blocks: how many blocks a cell has.
        ops: the operations to choose from (the thirteen of the paper).
        combines: how a block may put its two halves together.
    """

    name: ClassVar[str] = "nasnet"

    def __init__(
        self,
        *,
        blocks: int = 5,
        ops: Sequence[str] = NASNET_OPS,
        combines: Sequence[str] = COMBINES,
    ) -> None:
        self.blocks = checked_count(blocks, "blocks", MAX_NODES)
        self.ops = checked_ops(ops)
        self.combines: tuple[Combine, ...] = checked_names(combines, "combines", COMBINES)
        self._decisions = tuple(
            Decision(f"{role}.{block}.{question}", options)
            for role in ROLES
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
        half = len(answers) // 2
        return Genotype(
            self.name,
            {"normal": self._cell(answers[:half]), "reduction": self._cell(answers[half:])},
        )

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
        return tuple(
            choice for role in ROLES for choice in self._cell_choices(genotype.cells[role], role)
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
