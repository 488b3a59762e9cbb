"""Making a table: every architecture of a space that can be listed, or a sample of a larger one;
one ordinary study per seed, then joined."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final, final

from nas.contracts import Evaluation, Proposal, Strategy, Trial
from nas.errors import SettingsError, SpaceError, StoreError, StudyError, shortened
from nas.evaluators._record_rows import SETTINGS, TableRow
from nas.search.reading import events_of
from nas.seeding import numpy_rng
from nas.study import Budget
from nas.study.store import LOG, write_whole
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import Choices, SearchSpace

if TYPE_CHECKING:
    import numpy as np

    from nas.search.plan import Plan
    from nas.search.words import Assignment
    from nas.study.store import Event

LARGEST: Final = 1_000_000  # architectures that are worth listing
_DRAWS: Final = 1_000  # for one that is new


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


@final
class Sample(Strategy):
    """Distinct random architectures, the same ones in the same order for all seeds.

    Args:
        neighbour_every: so often, a neighbour of an earlier one instead, for who asks what a single
            change is worth; 0 draws none.
    """

    def __init__(self, space: SearchSpace, seed: int, *, neighbour_every: int = 0) -> None:
        super().__init__(space, seed)
        if neighbour_every < 0 or neighbour_every == 1:
            raise SettingsError(f"neighbour_every is {neighbour_every}: expected 0, or 2 and more")
        self._every = neighbour_every
        self._drawn: list[Proposal] = []
        self._keys: set[str] = set()

    def ask(self, number: int) -> Proposal:
        """The architecture with this number; all before it are drawn first, as it differs from
        them."""
        while len(self._drawn) <= number:
            proposal = self._next(len(self._drawn))
            self._keys.add(proposal.genotype.key)
            self._drawn.append(proposal)
        return self._drawn[number]

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        """Nothing is learned."""

    def _next(self, number: int) -> Proposal:
        draws = (numpy_rng(0, "sample", number, attempt) for attempt in range(_DRAWS))
        proposals = (self._proposal(number, rng) for rng in draws)
        for proposal in proposals:
            if proposal.genotype.key not in self._keys:
                return proposal
        raise SpaceError(
            f"space {self.space.name!r} gave nothing new in {_DRAWS:,} draws after {number:,} "
            "architectures; ask for a smaller sample, or leave --sample away to list all of them"
        )

    def _proposal(self, number: int, rng: np.random.Generator) -> Proposal:
        """A random architecture, or one that differs from an earlier one in a single decision."""
        if not self._every or (number + 1) % self._every:
            return Proposal(self.space.sample(rng))
        origin = int(rng.integers(number))
        neighbour = self.space.mutate(self._drawn[origin].genotype, rng)
        return Proposal(neighbour, {"neighbour_of": origin})


@dataclass(frozen=True, slots=True)
class Sampled:
    """How much of a space too large to list is evaluated."""

    count: int
    neighbour_every: int = 0
    repeated: int | None = None  # how many of them by every seed; the rest by the first alone

    def count_of(self, seed: int) -> int:
        """How many architectures this seed evaluates."""
        return self.count if seed == 0 else min(self.count, self.repeated or self.count)


def distinct_architectures(space: SearchSpace) -> dict[str, Choices]:
    """For each key of the space, the first choices that have it."""
    if space.size > LARGEST:
        raise SpaceError(
            f"space {space.name!r} has {space.size:.3g} architectures; a table lists all of them, "
            f"so it may have at most {LARGEST:,}; say --sample 100 to evaluate so many of them"
        )
    found: dict[str, Choices] = {}
    for choices in product(*map(range, space.counts)):
        found.setdefault(space.decode(choices).key, choices)
    return found


def study_size(space: SearchSpace) -> int:
    """How many trials it takes to evaluate everything once."""
    return len(distinct_architectures(space))


def study_of_seed(
    tree: Mapping[str, Any], seed: int, folder: Path, sampled: Sampled | None = None
) -> Assignment:
    """The study that evaluates everything, or the sample, once with this seed; `tree` holds the
    settings of a search."""
    from nas.search.words import assignment

    study = {**tree.get("study", {}), "seed": seed, "out": str(folder), "keep": 0}
    begun = assignment({**tree, "strategy": _listing(sampled), "study": study})
    if begun.plan.objectives is not None:
        raise SettingsError(
            "--objectives are of a search: here all are judged by one score, and a table has "
            "params and macs besides"
        )
    hours = study.get("max_hours")
    count = sampled.count_of(seed) if sampled else study_size(begun.plan.make_space())
    return replace(
        begun, budget=Budget(trials=count, hours=None if hours is None else float(hours))
    )


def refuse_decided(plan: Plan) -> None:
    """Refuse a table that no search would read."""
    for setting in plan.decided:
        raise SettingsError(
            f"{setting} has several values, and a table knows nothing of them: give one, and make "
            "a table for each"
        )


def _listing(sampled: Sampled | None) -> dict[str, Any]:
    """The strategy that lists what is evaluated."""
    if sampled is None:
        return {"name": f"{__name__}:{Enumeration.__name__}"}
    name = f"{__name__}:{Sample.__name__}"
    return {"name": name, "neighbour_every": sampled.neighbour_every}


@dataclass(frozen=True, slots=True)
class _Told:
    """One architecture as one seed evaluated it."""

    genotype: Genotype
    event: Event
    curve: tuple[float, ...]
    neighbour_of: str | None


def joined(folders: Sequence[Path], *, repeated: int | None = None) -> list[TableRow]:
    """The architectures that ended well in every one of these studies, in the order of their
    keys; where only some are `repeated`, in the first study."""
    studies = [_told(folder) for folder in folders]
    first = set(studies[0])
    keys = sorted(first if repeated else set.intersection(first, *map(set, studies[1:])))
    return [_row(key, studies) for key in keys]


def told_keys(folder: Path) -> set[str]:
    """What the study in this folder has evaluated; nothing, where it has not begun."""
    return set(_told(folder)) if (folder / LOG).exists() else set()


def _told(folder: Path) -> dict[str, _Told]:
    """What a study has evaluated, by key."""
    if not (folder / LOG).exists():
        raise StoreError(f"{folder / LOG} cannot be read: no study was begun there")
    asked: dict[int, Event] = {}
    curves: dict[int, list[float]] = {}
    told: dict[str, _Told] = {}
    keys: dict[int, str] = {}
    for _, event in events_of(folder):
        number = event.get("number", 0)
        match event["event"]:
            case "asked":
                asked[number] = event
            case "attempted":
                curves[number] = []  # steps of an earlier attempt are void
            case "progressed":
                curves[number].append(event["metrics"]["score"])
            case "told":
                genotype = Genotype.from_dict(asked[number]["genotype"])
                keys[number] = genotype.key
                origin = asked[number].get("notes", {}).get("neighbour_of")
                curve = tuple(curves.get(number, ()))
                told[genotype.key] = _Told(genotype, event, curve, keys.get(origin))
    return told


def _row(key: str, studies: Sequence[Mapping[str, _Told]]) -> TableRow:
    found = [study.get(key) for study in studies]
    known = [told for told in found if told is not None]
    first = known[0]
    return TableRow(
        first.genotype,
        tuple(told.event["score"] if told else None for told in found),
        fmean(told.event["seconds"] for told in known),
        first.event["metrics"],
        first.curve,
        first.neighbour_of,
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


def write_table(
    file: Path, space: SearchSpace, rows: Sequence[TableRow], settings: str | None = None
) -> None:
    """A CSV, compressed for a name in .gz: decisions, key, mean score and cost, params, macs, a
    score per seed; the curve of what learns in steps, of a sample what each is a neighbour of, and
    under which settings all of it came about."""
    if not rows:
        raise StudyError(
            "no architecture has been evaluated with every seed yet, so there is no table to write"
        )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [decision.name for decision in space.decisions]
    seeds = [f"score_seed{number}" for number in range(len(rows[0].scores))]
    also = [name for name, cell in _ALSO.items() if any(map(cell, rows))]
    told = {} if settings is None else {SETTINGS: settings}
    writer.writerow([*names, "key", "score", "cost", "params", "macs", *seeds, *also, *told])
    writer.writerows(
        [*_cells(space, row), *(_ALSO[name](row) for name in also), *told.values()] for row in rows
    )
    content = text.getvalue().encode()
    write_whole(file, gzip.compress(content, 9, mtime=0) if file.suffix == ".gz" else content)


# Columns of tables that have something to put there.
_ALSO: Final[Mapping[str, Callable[[TableRow], str]]] = {
    "curve": lambda row: " ".join(f"{score:.4g}" for score in row.curve),
    "neighbour_of": lambda row: row.neighbour_of or "",
}


def _cells(space: SearchSpace, row: TableRow) -> Iterator[Any]:
    pairs = zip(space.decisions, space.encode(row.genotype), strict=True)
    yield from (decision.options[choice] for decision, choice in pairs)
    seeds = ["" if score is None else f"{score:.6g}" for score in row.scores]
    yield row.genotype.key
    yield f"{fmean(float(score) for score in seeds if score):.6g}"  # of what the file says
    yield f"{row.seconds:.3g}"
    yield from (row.metrics.get(name, "") for name in ("params", "macs"))
    yield from seeds
