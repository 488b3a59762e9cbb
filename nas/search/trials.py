"""All trials of a study as one table: a row a trial, read from its log in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nas.errors import NasError, StoreError, shortened
from nas.search.fronts import front_of
from nas.search.plan import Plan, read_study_json
from nas.search.reading import events_of
from nas.study.events import ENDS
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

if TYPE_CHECKING:
    import pandas

    from nas.study.store import Event

    TrialsFrame = pandas.DataFrame

COLUMNS: Final = ("number", "state", "score", "seconds", "key", "failure")


def trials_frame(folder: Path) -> pandas.DataFrame:
    """A row for every trial of the study in this folder, in the order of their numbers.

    The columns are `number`; `state`: `told`, `reused` (told again what an equal genotype scored),
    `learnt` (taken over from an older study),
    `stopped`, `failed` or `open` (asked, not ended); `score`; `seconds`, those of the attempt that
    ended it; `key`; `failure`, the kind of one; then every metric, and every decision with the
    option that was chosen, under their own names. A name that is taken already is written
    `metrics.NAME` or `choices.NAME`. A study whose space is not installed here has no decisions.
    """
    read_study_json(folder)  # refuse what is no study before anything heavy is loaded
    import pandas

    asked: dict[int, Event] = {}
    ends: dict[int, Event] = {}
    for _, event in events_of(folder):
        if event["event"] == "asked":
            asked[event["number"]] = event
        elif event["event"] in ENDS:
            ends[event["number"]] = event

    space = _space_of(folder)
    numbers = sorted(asked)
    facts = [_facts(asked[number], ends.get(number)) for number in numbers]
    metrics = [ends.get(number, {}).get("metrics", {}) for number in numbers]
    choices = [choices_of(space, asked[number]["genotype"]) for number in numbers]

    columns = {name: [row[name] for row in facts] for name in COLUMNS}
    _join(columns, "metrics", metrics)
    _join(columns, "choices", choices)
    kinds = {"number": "int64", "score": "float64", "seconds": "float64"}
    return pandas.DataFrame(columns).astype(kinds)


def front_frame(folder: Path) -> pandas.DataFrame:
    """A row for every trial on the front, the best by the first objective first.

    The columns are `number`, `knee` (true of one), a column for each objective under its formula,
    and `key`.
    """
    found = front_of(folder)
    import pandas

    return pandas.DataFrame(
        [
            {
                "number": member.number,
                "knee": member is found.knee,
                **member.objectives,
                "key": member.key,
            }
            for member in found.members
        ]
    )


def _space_of(folder: Path) -> SearchSpace | None:
    """The space of a study; None where it cannot be made here."""
    try:
        return Plan.read(folder).make_space()
    except NasError:
        return None


def _facts(asked: Event, end: Event | None) -> dict[str, Any]:
    """What every trial has, whatever was measured."""
    try:
        return {
            "number": asked["number"],
            "state": _state(end),
            "score": None if end is None else end.get("score"),
            "seconds": None if end is None else end["seconds"],
            "key": asked["key"],
            "failure": None if end is None else end.get("kind"),
        }
    except KeyError as problem:
        raise StoreError(
            f"the log holds a line that no study wrote: {shortened(end or asked, 100)}"
        ) from problem


def _state(end: Event | None) -> str:
    if end is None:
        return "open"
    return next((name for name in ("reused", "learnt") if name in end), str(end["event"]))


def choices_of(space: SearchSpace | None, record: object) -> Mapping[str, Any]:
    """The options chosen, by the names of their decisions; none where the space cannot say."""
    try:
        genotype = Genotype.from_dict(record)
        if genotype.choices is not None:
            return genotype.choices
        if space is None:
            return {}
        pairs = zip(space.decisions, space.encode(genotype), strict=True)
    except NasError:
        return {}
    return {decision.name: decision.options[choice] for decision, choice in pairs}


def _join(columns: dict[str, list[Any]], kind: str, rows: list[Mapping[str, Any]]) -> None:
    """Add a column for every name in these rows, with None where a row does not say."""
    names = dict.fromkeys(name for row in rows for name in row)
    for name in names:
        label = f"{kind}.{name}" if name in columns else name
        columns[label] = [row.get(name) for row in rows]
