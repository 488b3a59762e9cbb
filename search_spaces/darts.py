"""The DARTS space (Liu, Simonyan and Yang 2019): nodes that add operations on two different earlier
states."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import ClassVar, final

from search_spaces.cells import ROLES
from search_spaces.cells.darts_text import DARTS_OPS
from search_spaces.cells.genotype import Cell, Genotype, Node, shared_node
from search_spaces.cells.space import Choices, Decision, SearchSpace
from search_spaces.errors import SpaceError

_NODES = 4
_OUTPUTS = (2, 3, 4, 5)
_PAIRS = tuple(tuple(combinations(range(2 + node), 2)) for node in range(_NODES))


@final
class DartsSpace(SearchSpace):
    """Two cells x four nodes x (pair of inputs, op, op); every node is put out."""

    name: ClassVar[str] = "darts"
    ops: ClassVar[tuple[str, ...]] = DARTS_OPS

    _decisions: ClassVar[tuple[Decision, ...]] = tuple(
        decision
        for role in ROLES
        for node in range(_NODES)
        for decision in (
            Decision(f"{role}.{node}.inputs", tuple(f"{one},{two}" for one, two in _PAIRS[node])),
            Decision(f"{role}.{node}.op_a", DARTS_OPS),
            Decision(f"{role}.{node}.op_b", DARTS_OPS),
        )
    )

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Normal cell first, node by node: which two states, the op on the older one, the op on the
        newer one."""
        return self._decisions

    def decode(self, choices: Sequence[int]) -> Genotype:
        """The genotype these choices stand for."""
        answers = self.checked(choices)
        half = len(answers) // 2
        return Genotype(
            self.name,
            {"normal": self._cell(answers[:half]), "reduction": self._cell(answers[half:])},
        )

    def _cell(self, answers: Choices) -> Cell:
        nodes = []
        for pairs, pair, op_a, op_b in zip(
            _PAIRS, answers[::3], answers[1::3], answers[2::3], strict=True
        ):
            one, two = pairs[pair]
            nodes.append(shared_node(((one, self.ops[op_a]), (two, self.ops[op_b])), "add"))
        return Cell(tuple(nodes), _OUTPUTS)

    def encode(self, genotype: Genotype) -> Choices:
        """The choices of a member; a node's two edges may stand in either order."""
        self.check_roles(genotype, ROLES)
        return tuple(
            choice for role in ROLES for choice in self._cell_choices(genotype.cells[role], role)
        )

    def _cell_choices(self, cell: Cell, role: str) -> list[int]:
        self.check_shape(cell, role, nodes=_NODES, inputs=2)
        if cell.output_states != _OUTPUTS:
            raise SpaceError(
                f"the {role} cell puts out states {', '.join(map(str, cell.output_states))}; a "
                "cell of space "
                f"{self.name!r} puts out all its nodes, 2 to 5"
            )
        for index, node in enumerate(cell.nodes):
            self._check_node(node, role, index)
        ops = self.op_indices(cell, self.ops, role)
        return [
            choice
            for index, node in enumerate(cell.nodes)
            for choice in self._node_choices(node, ops[index], index)
        ]

    def _check_node(self, node: Node, role: str, index: int) -> None:
        sources = tuple(sorted(edge.source for edge in node.edges))
        if sources not in _PAIRS[index] or node.combine != "add":
            raise SpaceError(
                f"node {index} of the {role} cell: space {self.name!r} adds edges from two "
                "different earlier states"
            )

    def _node_choices(self, node: Node, ops: Sequence[int], index: int) -> tuple[int, int, int]:
        brought = zip(node.edges, ops, strict=True)
        (one, op_a), (two, op_b) = sorted(brought, key=lambda pair: pair[0].source)
        return _PAIRS[index].index((one.source, two.source)), op_a, op_b
