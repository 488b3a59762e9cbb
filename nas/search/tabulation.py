"""Making a table: every architecture of a space that can be listed, one ordinary study per seed,
then joined."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final, final

from nas.contracts import Evaluation, Proposal, Strategy, Trial
from nas.errors import SettingsError, SpaceError, StoreError, StudyError, shortened
from nas.search.reading import LOG, events_of
from nas.seeding import numpy_rng
from nas.study.files import write_whole
from nas.study.rules import Budget
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import Choices, SearchSpace

if TYPE_CHECKING:
    from nas.search.words import Assignment

LARGEST: Final = 1_000_000  # architectures that are worth listing


@final
class Enumeration(Strategy):
    """Each distinct architecture once, in one order for all seeds, which is shuffled: a part of it
    is a fair sample."""

    def ask(self, number: int) -> Proposal | None:
        """The architecture with this number; None behind the last."""
        return Proposal(self.space.decode(self.order[number])) if number < len(self.order) else None

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        """Nothing is learned."""

    @cached_property
    def order(self) -> Sequence[Choices]:
        """The choices of the first architecture of each key, shuffled."""
        distinct = list(distinct_architectures(self.space).values())
        return [distinct[index] for index in numpy_rng(0, "enumeration").permutation(len(distinct))]


def distinct_architectures(space: SearchSpace) -> dict[str, Choices]:
    """For each key of the space, the first choices that have it."""
    if space.size > LARGEST:
        raise SpaceError(
            f"space {space.name!r} has {space.size:.3g} architectures; a table lists all of them, "
            "so it may have at "
            f"most {LARGEST:,}"
        )
    found: dict[str, Choices] = {}
    for choices in product(*map(range, space.counts)):
        found.setdefault(space.decode(choices).key, choices)
    return found


def study_size(space: SearchSpace) -> int:
    """How many trials it takes to evaluate everything once."""
    return len(distinct_architectures(space))


def study_of_seed(tree: Mapping[str, Any], seed: int, folder: Path) -> Assignment:
    """The study that evaluates everything once with this seed; `tree` holds the settings of a
    search."""
    from nas.search.words import assignment

    study = {**tree.get("study", {}), "seed": seed, "out": str(folder), "keep": 0}
    begun = assignment(
        {**tree, "strategy": {"name": f"{__name__}:{Enumeration.__name__}"}, "study": study}
    )
    hours = study.get("max_hours")
    count = study_size(begun.plan.make_space())
    return replace(
        begun, budget=Budget(trials=count, hours=None if hours is None else float(hours))
    )


@dataclass(frozen=True, slots=True)
class TableRow:
    """What was found out about one architecture."""

    genotype: Genotype
    scores: tuple[float, ...]  # one per seed
    seconds: float
    metrics: Mapping[str, Any]


def joined(folders: Sequence[Path]) -> list[TableRow]:
    """The architectures that ended well in every one of these studies, in the order of their
    keys."""
    studies = [_told(folder) for folder in folders]
    keys = sorted(set.intersection(*(set(study) for study in studies)))
    return [_row(key, studies) for key in keys]


def _told(folder: Path) -> dict[str, tuple[Genotype, Mapping[str, Any]]]:
    """By key: the genotype and the `told` event of a study."""
    if not (folder / LOG).exists():
        raise StoreError(f"{folder / LOG} cannot be read: no study was begun there")
    asked: dict[int, Genotype] = {}
    told: dict[str, tuple[Genotype, Mapping[str, Any]]] = {}
    for _, event in events_of(folder):
        if event["event"] == "asked":
            asked[event["number"]] = Genotype.from_dict(event["genotype"])
        elif event["event"] == "told":
            genotype = asked[event["number"]]
            told[genotype.key] = (genotype, event)
    return told


def _row(key: str, studies: Sequence[Mapping[str, tuple[Genotype, Mapping[str, Any]]]]) -> TableRow:
    events = [study[key][1] for study in studies]
    genotype = studies[0][key][0]
    seconds = fmean(event["seconds"] for event in events)
    return TableRow(
        genotype, tuple(event["score"] for event in events), seconds, events[0]["metrics"]
    )


def checked_table(file: Path) -> None:
    """Refuse what cannot be written, before hours of work."""
    if not file.name.endswith((".csv", ".csv.gz")):
        raise SettingsError(
            f"--out is {shortened(str(file))}: a table is written as .csv or .csv.gz"
        )
    if file.is_dir():
        raise SettingsError(
            f"--out is {shortened(str(file))}: that is a folder, and a table is a file"
        )


def write_table(file: Path, space: SearchSpace, rows: Sequence[TableRow]) -> None:
    """A CSV, compressed for a name in .gz: decisions, key, mean score and cost, params, macs, a
    score per seed."""
    if not rows:
        raise StudyError(
            "no architecture has been evaluated with every seed yet, so there is no table to write"
        )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [decision.name for decision in space.decisions]
    seeds = [f"score_seed{number}" for number in range(len(rows[0].scores))]
    writer.writerow([*names, "key", "score", "cost", "params", "macs", *seeds])
    writer.writerows(_cells(space, row) for row in rows)
    content = text.getvalue().encode()
    write_whole(file, gzip.compress(content, 9, mtime=0) if file.suffix == ".gz" else content)


def _cells(space: SearchSpace, row: TableRow) -> Iterator[Any]:
    pairs = zip(space.decisions, space.encode(row.genotype), strict=True)
    yield from (decision.options[choice] for decision, choice in pairs)
    yield row.genotype.key
    yield f"{fmean(row.scores):.6g}"
    yield f"{row.seconds:.3g}"
    yield from (row.metrics.get(name, "") for name in ("params", "macs"))
    yield from (f"{score:.6g}" for score in row.scores)
