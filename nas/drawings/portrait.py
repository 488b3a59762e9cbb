"""A genotype's portrait: what it is called, how it looks, which network it becomes, and what that
costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.drawings.surroundings import Surroundings, surroundings
from nas.errors import NasError, NetworkError
from search_spaces import zoo
from search_spaces.cells.genotype import Genotype

if TYPE_CHECKING:
    from nas.drawings.shapes import Drawing
    from search_spaces.cells.cost import CellCost, Cost


@dataclass(frozen=True, slots=True)
class Portrait:
    """What there is to say about a genotype; without a network, `why_not` says why."""

    genotype: Genotype
    entry: zoo.ZooEntry | None
    surroundings: Surroundings | None
    cost: Cost | None
    per_cell: tuple[CellCost, ...] = ()
    why_not: str = ""

    @property
    def title(self) -> str:
        """What a drawing of it is called."""
        return self.entry.title if self.entry else f"{self.genotype.space} {self.genotype.key[:8]}"

    def record(self) -> dict[str, Any]:
        """Everything as JSON."""
        record: dict[str, Any] = {
            "name": self.entry.name if self.entry else None,
            "key": self.genotype.key,
        }
        if self.cost is None or self.surroundings is None:
            record |= {
                "params": None,
                "params_with_statistics": None,
                "macs": None,
                "why_not": self.why_not,
            }
        else:
            record |= asdict(self.cost)
            record |= {
                "per_cell": [asdict(row) for row in self.per_cell],
                "skeleton": self.surroundings.to_dict(),
            }
        return {**record, "genotype": self.genotype.to_dict()}

    def drawing(self, network: bool) -> Drawing:
        """The cells, or the whole network as a stack."""
        from nas.drawings.cells import cells_drawing
        from nas.drawings.stack import stack_drawing

        if not network:
            return cells_drawing(self.genotype, self.title)
        if self.surroundings is None:
            raise NasError(f"there is no network to draw: {self.why_not}")
        return stack_drawing(
            self.genotype, self.surroundings.skeleton, f"{self.title}, {self.surroundings.name}"
        )


def portrait(
    genotype: Genotype,
    source: str,
    skeleton: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Portrait:
    """The portrait of a genotype; where nobody asked for a skeleton, one that does not fit is no
    error.

    Args:
        source: what the user called it; a name of the zoo brings its published settings.
    """
    published = source in zoo.names() and not Path(source).exists()
    entry = zoo.load(source) if published else None
    if not genotype.cells:
        if skeleton or settings:
            raise NasError(
                f"a genotype of space {genotype.space!r} has choices and no cells, so it fits no "
                "skeleton"
            )
        why_not = "this genotype has choices and no cells, so nothing can be drawn or built"
        return Portrait(genotype, entry, None, None, why_not=why_not)
    around = surroundings(genotype, skeleton, settings or {}, entry)
    try:
        return _costed(genotype, entry, around)
    except NetworkError as problem:
        if skeleton or settings:
            raise
        return Portrait(genotype, entry, None, None, why_not=str(problem))


def _costed(genotype: Genotype, entry: zoo.ZooEntry | None, around: Surroundings) -> Portrait:
    from search_spaces.cells.cost import cost, per_cell_table

    rows = per_cell_table(genotype, around.skeleton)
    return Portrait(genotype, entry, around, cost(genotype, around.skeleton), tuple(rows))
