"""Cells of a file, each trained beside the searched one; and what such a panel says together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.errors import NasError, counted, shortened
from nas.exporting.choosing import Choice, choices
from nas.full_size.controls import CONTROLS
from nas.full_size.report import Row
from nas.study.events import is_number

MOST_CELLS = 1_000
_LARGEST_FILE = 64_000_000
_TAKEN = ("searched", *CONTROLS, "best")  # folders beside those of the cells


@dataclass(frozen=True, slots=True)
class PanelCell:
    """A cell of the file, and the score that it had where it was searched."""

    name: str
    choice: Choice
    score: float | None


def members_of(file: Path) -> list[PanelCell]:
    """The cells of a file, a line each: whatever stands for a genotype, or a JSON object with
    `genotype` and, if they are known, `name` and `score`."""
    members: dict[str, PanelCell] = {}
    for number, line in enumerate(_lines(file), start=1):
        if not line.strip():
            continue
        try:
            member = _member(line.strip(), number)
        except NasError as problem:
            raise NasError(f"{file}, line {number}: {problem}") from problem
        if member.name in members:
            raise NasError(
                f"{file}, line {number}: a cell before it is called {member.name!r} too; give them "
                'names of their own, as in {"name": "b", "genotype": ...}'
            )
        members[member.name] = member
    if not members:
        raise NasError(f"{file} names no cell; write a genotype into each of its lines")
    if len(members) > MOST_CELLS:
        raise NasError(f"{file} names {counted(len(members), 'cell')}; at most {MOST_CELLS:,}")
    return list(members.values())


def _lines(file: Path) -> list[str]:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise NasError(
                f"{file} has more than {_LARGEST_FILE:,} bytes: that is no list of cells"
            )
        return file.read_text(encoding="utf-8").splitlines()
    except OSError as problem:
        raise NasError(f"{file} cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise NasError(f"{file} is not UTF-8 text; write a genotype into each line") from problem


def _member(line: str, number: int) -> PanelCell:
    told = _object(line)
    given = told.get("genotype", line)
    choice = choices(given if isinstance(given, str) else json.dumps(given), with_weights=False)[0]
    if not choice.genotype.cells:
        raise NasError("this genotype has choices and no cells, so there is no network to train")
    name, score = told.get("name", f"cell-{number}"), told.get("score", choice.origin.get("score"))
    if not _is_name(name):
        raise NasError(
            f"{shortened(name)} is no name: expected up to 60 letters, digits, dots, hyphens and "
            f"underscores, and none of {', '.join(_TAKEN)}"
        )
    if score is not None and not is_number(score):
        raise NasError(f"{shortened(score)} is no score: expected a number")
    return PanelCell(name, choice, score)


def _object(line: str) -> dict[str, Any]:
    """The facts of a line that has some; a genotype as JSON has none beside it."""
    if not line.startswith("{"):
        return {}
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}  # which the reader of genotypes says
    return found if isinstance(found, dict) and "genotype" in found else {}


def _is_name(name: object) -> bool:
    return (
        isinstance(name, str)
        and 0 < len(name) <= 60
        and name.isascii()
        and name.replace("-", "").replace(".", "").replace("_", "").isalnum()
        and name not in _TAKEN
    )


# ------------------------------------------------------------------ what it says


def panel_text(rows: Sequence[Row], names: Sequence[str]) -> Iterator[str]:
    """What the cells of the file say together; nothing where there are none."""
    first, beside = rows[0], [row for row in rows if row.name in names]
    if not beside:
        return
    reached = [_top_1(row) for row in beside]
    as_good = sum(value >= _top_1(first) for value in reached)
    by_chance = (as_good + 1) / (len(beside) + 1)
    yield (
        f"{first.name} is ahead of {len(beside) - as_good} of {counted(len(beside), 'cell')}; "
        "drawn as they were, it would be ahead of so many or more with probability "
        f"{by_chance:.2g} (rank test)."
    )
    cells = [first, *beside]
    spent = [row.macs for row in cells]
    yield f"Multiply-adds of the cells are within {100 * (1 - min(spent) / max(spent)):.1f} %."
    yield from _agreement([row for row in cells if row.score is not None])


def _agreement(rows: Sequence[Row]) -> Iterator[str]:
    """Whether scores rank cells as this data does."""
    from nas.reports.rank_agreement import FEWEST, mean_tau

    if len(rows) < 3:
        return
    import numpy as np

    scores = np.array([row.score for row in rows], dtype=float)
    tau = mean_tau([(scores, np.array([_top_1(row) for row in rows]))])
    spread = (
        f"({tau.low:.2f} to {tau.high:.2f})"
        if tau.low is not None and tau.high is not None
        else f"(too few for an interval, which wants {FEWEST})"
    )
    yield (
        f"Kendall's tau between the scores where they were searched and test top-1 here is "
        f"{tau.value:.2f} {spread}, {counted(len(rows), 'cell')}."
    )


def _top_1(row: Row) -> float:
    return row.spreads["top_1_mean"] or 0.0
