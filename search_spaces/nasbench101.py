"""NAS-Bench-101 (Ying et al. 2019): cells of at most seven vertices and nine edges, an operation of
three on each inner vertex."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NoReturn, final

from search_spaces.cells.genotype import Genotype
from search_spaces.cells.nasbench101_hash import EDGES, OPS, arcs_of, kept_vertices
from search_spaces.cells.space import Choices, Decision, SearchSpace
from search_spaces.errors import SpaceError, shortened

if TYPE_CHECKING:
    import torch

    from search_spaces.cells.skeleton import Skeleton

_EDGES_OF_A_CELL, _INNER = 9, 5


@final
class Nasbench101Space(SearchSpace):
    """423,624 cells, drawn as nine edges of 21 and five operations; an edge drawn twice is one.

    This is the encoding B of the benchmark's authors: nine edges are never too many. A drawing in
    which no way leads from the input to the output is no cell, and is skipped at no cost. The key
    is the published hash.
    """

    name: ClassVar[str] = "nasbench101"
    _decisions: ClassVar[tuple[Decision, ...]] = (
        *(Decision(f"edge_{place}", EDGES) for place in range(_EDGES_OF_A_CELL)),
        *(Decision(f"op_{vertex}", OPS) for vertex in range(1, 1 + _INNER)),
    )

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The nine edges, then the operations of the inner vertices."""
        return self._decisions

    @property
    def architectures(self) -> int:
        """As the benchmark counts them."""
        return 423_624

    def decode(self, choices: Sequence[int]) -> Genotype:
        """The drawing these choices stand for, as it was drawn."""
        answers = self.checked(choices)
        chosen = {
            decision.name: decision.options[answer]
            for decision, answer in zip(self._decisions, answers, strict=True)
        }
        return Genotype(self.name, {}, chosen)

    def encode(self, genotype: Genotype) -> Choices:
        """The choices of a drawing that answers every decision."""
        chosen = genotype.choices
        if chosen is None or genotype.space != self.name:
            raise SpaceError(
                f"the genotype is of space {shortened(genotype.space)} and does not answer the "
                f"decisions of {self.name}"
            )
        if chosen.keys() != {decision.name for decision in self._decisions}:
            raise SpaceError(
                f"the genotype answers {shortened(sorted(chosen))}; space {self.name!r} has edge_0 "
                "to edge_8 and op_1 to op_5"
            )
        return tuple([_index(decision, chosen[decision.name]) for decision in self._decisions])

    def flaw(self, genotype: Genotype) -> str | None:
        """A cell has a way from its input to its output."""
        chosen = genotype.choices or {}
        edges = [chosen[f"edge_{place}"] for place in range(_EDGES_OF_A_CELL)]
        return None if kept_vertices(arcs_of(edges)) else "no way from input to output"

    def build(
        self, genotype: Genotype, skeleton: Skeleton, generator: torch.Generator | None = None
    ) -> NoReturn:
        """These cells are looked up."""
        del genotype, skeleton, generator
        raise SpaceError(
            f"cells of space {self.name!r} are looked up in a table and built nowhere here: give "
            "--evaluator table"
        )


def _index(decision: Decision, option: int | str) -> int:
    if option not in decision.options:
        raise SpaceError(
            f"decision {decision.name!r} has no option {shortened(option)}, only "
            f"{', '.join(map(str, decision.options))}"
        )
    return decision.options.index(option)
