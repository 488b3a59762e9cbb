"""Rows of a table as `nas tabulate` writes them: an architecture, a score for each seed, seconds,
params, macs and the curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from nas.errors import SpaceError, TableError, shortened
from nas.evaluators._table_file import TableFile, finite_number
from search_spaces.cells.genotype import Genotype

if TYPE_CHECKING:
    from search_spaces.cells.space import SearchSpace

SETTINGS: Final = "settings"  # the column that says under which settings a row came about
_METRICS: Final = ("params", "macs")

Pick = Callable[[Sequence[int]], Sequence[int]]


@dataclass(frozen=True, slots=True)
class TableRow:
    """What was found out about one architecture."""

    genotype: Genotype
    scores: tuple[float | None, ...]  # one per seed; None where that seed was not asked for it
    seconds: float
    metrics: Mapping[str, Any]
    curve: tuple[float, ...] = ()  # the score after every step, by the first seed
    neighbour_of: str | None = None  # the key of the one it was made from

    @property
    def score(self) -> float:
        """The mean over the seeds that evaluated it."""
        return fmean(score for score in self.scores if score is not None)

    def score_of(self, seed: int) -> float | None:
        """The score with this seed; None where it is not known."""
        return self.scores[seed] if seed < len(self.scores) else None


def read_rows(table: TableFile, space: SearchSpace, pick: Pick | None = None) -> list[TableRow]:
    """The rows of a table, in their order.

    Args:
        pick: which rows to read, by how many seeds each has; all, where nothing is said.
    """
    seeds = _seed_columns(table)
    names = [decision.name for decision in space.decisions]
    for name in names:
        if name not in table.header:
            raise TableError(
                f"{table.name} has no column {name!r}, a decision of space {space.name!r}: "
                "expected a file that `nas tabulate` wrote of this space"
            )
    more = ("cost", "key", *_METRICS, "curve", "neighbour_of")
    texts = table.texts([*names, *seeds, *(name for name in more if name in table.header)])
    counts = [sum(map(bool, cells)) for cells in zip(*(texts[name] for name in seeds), strict=True)]
    places = range(len(counts)) if pick is None else pick(counts)
    options = [
        {str(option): place for place, option in enumerate(decision.options)}
        for decision in space.decisions
    ]
    return [
        _row(table, space, place + 1, {name: each[place] for name, each in texts.items()}, options)
        for place in places
    ]


def _seed_columns(table: TableFile) -> list[str]:
    seeds: list[str] = []
    while (name := f"score_seed{len(seeds)}") in table.header:
        seeds.append(name)
    if not seeds:
        raise TableError(
            f"{table.name} has no column 'score_seed0': expected a file that `nas tabulate` wrote"
        )
    return seeds


def _row(
    table: TableFile,
    space: SearchSpace,
    number: int,
    cells: Mapping[str, str],
    options: Sequence[Mapping[str, int]],
) -> TableRow:
    def cell(column: str) -> float:
        return finite_number(table.name, column, number, cells[column])

    genotype = _genotype(table, space, number, cells, options)
    if "key" in cells and genotype.key != cells["key"]:
        raise TableError(
            f"{table.name}, row {number}: column 'key' is not the key of its architecture "
            f"({genotype.key})"
        )
    seeds = [name for name in cells if name.startswith("score_seed")]
    scores = tuple(cell(name) if cells[name] else None for name in seeds)
    if all(score is None for score in scores):
        raise TableError(f"{table.name}, row {number}: no seed has a score")
    metrics = {name: _plain(cell(name)) for name in _METRICS if cells.get(name)}
    curve = tuple(
        finite_number(table.name, "curve", number, text) for text in cells.get("curve", "").split()
    )
    seconds = cell("cost") if cells.get("cost") else 0.0
    if seconds < 0:
        raise TableError(
            f"{table.name}, row {number}: the cost is {seconds:g}; expected 0 or more seconds"
        )
    return TableRow(genotype, scores, seconds, metrics, curve, cells.get("neighbour_of") or None)


def _genotype(
    table: TableFile,
    space: SearchSpace,
    number: int,
    cells: Mapping[str, str],
    options: Sequence[Mapping[str, int]],
) -> Genotype:
    choices = []
    for decision, known in zip(space.decisions, options, strict=True):
        text = cells[decision.name]
        if text not in known:
            raise TableError(
                f"{table.name}, row {number}: column {decision.name!r} holds {shortened(text)}; "
                f"expected one of {', '.join(known)}"
            )
        choices.append(known[text])
    try:
        return space.decode(choices)
    except SpaceError as problem:
        raise TableError(f"{table.name}, row {number}: {problem}") from problem


def _plain(value: float) -> float | int:
    """As it is written: whole numbers without a point."""
    return int(value) if value.is_integer() else value
