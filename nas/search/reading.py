"""The only reader of a log: what ended, the best so far, the ranking, and the finals of winners.

Any number of readers may look while a study is written; a study without a first line has no events.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from nas.errors import StoreError, StudyError
from nas.search.plan import read_study_json, recorded_fingerprint
from nas.study import Budget, Rules
from nas.study.events import ENDS
from nas.study.front import Front
from nas.study.ledger import Heard, Ledger
from nas.study.store import LOG, Event, is_being_written, read_events


class Ranked(NamedTuple):
    """One of the best distinct trials of a study, the two lines that say so, and its final."""

    score: float
    asked: Mapping[str, Any]
    told: Mapping[str, Any]
    final: Mapping[str, float]


class ToldTrial(NamedTuple):
    """A trial that was told a score, and how far its study was by then.

    `ended` counts the trials that had ended, this one included; repeats of a known genotype cost
    nothing and do not count.
    """

    number: int
    key: str
    score: float
    seconds: float
    metrics: Mapping[str, Any]
    reused: bool
    ended: int
    cost: float
    best: bool
    objectives: Sequence[float] = ()  # nothing, where there is one score
    on_front: bool = False
    learnt: bool = False  # by an older study


class Updated(NamedTuple):
    """One update of a controller: every number it wrote down, and what it was alarmed by."""

    numbers: Mapping[str, float]
    alarm: str | None


class Ending(NamedTuple):
    """How far a log is, told without replaying a strategy."""

    budget: Mapping[str, Any] | None  # that of the first line
    extended: bool
    finished: bool
    winner: int | None
    judged: frozenset[int]


def events_of(folder: Path, start: int = 0) -> Iterator[tuple[int, Event]]:
    """The events of a study from an offset on, each with the offset of its line; a log that another
    study began is refused."""
    log = folder / LOG
    if not log.exists():
        return iter(())
    events = read_events(log, start)
    first = next(events, None)
    if first is None:
        return iter(())
    if start == 0:
        _refuse_foreign(folder, first[1])
    return chain((first,), events)


def _refuse_foreign(folder: Path, first: Event) -> None:
    begun = first.get("study")
    if begun is not None and begun != recorded_fingerprint(folder):
        raise StoreError(
            f"{folder / LOG} was begun by a study with other settings than study.json records: one "
            "of the two files was changed or belongs to another study; restore both from a copy"
        )


def is_running(folder: Path) -> bool:
    """Whether a process is at work on this study just now."""
    return is_being_written(folder / LOG)


def ledger_of(folder: Path, rules: Rules) -> Ledger:
    """What the log of this study amounts to."""
    ledger = Ledger(rules, listens=False)
    for offset, event in events_of(folder):
        ledger.apply(event, offset)
    return ledger


def course_of(folder: Path, ledger: Ledger) -> Iterator[ToldTrial | Updated]:
    """What happened in a study, in one pass in which `ledger`, a new one, takes in the log."""
    keys: dict[int, str] = {}

    for offset, event in events_of(folder):
        ledger.apply(event, offset)
        match event["event"]:
            case "asked":
                keys[event["number"]] = event["key"]
            case "told":
                yield _told(event, keys.pop(event["number"]), ledger)
            case "stopped" | "failed":
                del keys[event["number"]]
            case "updated":
                yield _updated(event)


def _told(event: Event, key: str, ledger: Ledger) -> ToldTrial:
    counts, best, front = ledger.counts, ledger.best, ledger.front
    return ToldTrial(
        event["number"],
        key,
        event["score"],
        event["seconds"],
        event["metrics"],
        reused="reused" in event,
        ended=counts["evaluated"] + counts["stopped"] + counts["failed"],
        cost=ledger.cost,
        best=best is not None and best.trial.number == event["number"],
        learnt="learnt" in event,
        objectives=event.get("objectives", ()),
        on_front=bool(front) and front[-1][1].entry.asked["number"] == event["number"],
    )


def _updated(event: Event) -> Updated:
    return Updated(numbers_of(event), event.get("alarm"))


def numbers_of(update: Event) -> dict[str, float]:
    """Every number that an update of a controller wrote down, in the order of their names."""
    named = ((name, update[name]) for name in sorted(update) if name != "time")
    return {name: value for name, value in named if isinstance(value, int | float)}


def heard_of(folder: Path, rules: Rules) -> Iterator[Heard]:
    """What the strategy of this study was told, in the order in which it was."""
    ledger = Ledger(rules)
    for offset, event in events_of(folder):
        heard = ledger.apply(event, offset)
        if heard is not None:
            yield heard


def budget_of(folder: Path, ledger: Ledger) -> Budget:
    """The budget of a study; before the first line of its log, the one it was begun with."""
    if ledger.sessions:
        return ledger.budget
    try:
        return Budget(**read_study_json(folder).get("budget", {}))
    except TypeError as problem:
        raise StudyError(f"the budget in {folder / 'study.json'} is none: {problem}") from problem


def trial_events(folder: Path, number: int) -> list[Event]:
    """Everything the log says of one trial."""
    return [event for _, event in events_of(folder) if event.get("number") == number]


def updates_of(folder: Path) -> list[Event]:
    """Every update of a controller, oldest first, as it was written down."""
    records = [event for _, event in events_of(folder) if _is_of_controller(event)]
    if not records:
        raise StudyError(
            f"{folder} has no updates of a controller: its strategy has none, or fewer trials "
            "were told than one takes (ten, or strategy.batch); wait, or inspect a study of "
            "policy-gradient or critic"
        )
    return records


def _is_of_controller(event: Event) -> bool:
    return event["event"] == "updated" and ("policy" in event or "critic_correlation" in event)


def ranked(folder: Path, top: int) -> list[Ranked]:
    """The best distinct trials of a study; of equals the one on the front, else the one told
    first."""
    asked: dict[int, Event] = {}
    final: dict[int, Mapping[str, float]] = {}
    best: list[Ranked] = []
    front: Front[Ranked] = Front()

    for _, event in events_of(folder):
        if event["event"] == "asked":
            asked[event["number"]] = event
        elif event["event"] in ENDS:
            question = asked.pop(event["number"], event)
            if event["event"] == "told" and "reused" not in event:
                # `insort` puts equals behind those told before them
                one = Ranked(event["score"], question, event, {})
                insort(best, one, key=lambda one: -one.score)
                del best[top:]
                if "objectives" in event:
                    front.offer(tuple(event["objectives"]), one)
        elif event["event"] == "opened":
            final[event["number"]] = event["final"]

    members = [one for _, one in front.members]
    best += [one for one in members if one not in best]
    best.sort(key=lambda one: (-one.score, one not in members))
    return [one._replace(final=final.get(one.told["number"], {})) for one in best[:top]]


def ending_of(folder: Path) -> Ending:
    """How far the log of a study is."""
    budget: Mapping[str, Any] | None = None
    extended = finished = False
    winner: tuple[float, int] | None = None
    judged: set[int] = set()

    for _, event in events_of(folder):
        match event["event"]:
            case "started" if "budget" in event:
                budget = event["budget"]
            case "extended":
                extended = True
            case "told" if "reused" not in event and (winner is None or event["score"] > winner[0]):
                winner = event["score"], event["number"]
            case "opened":
                judged.add(event["number"])
            case "finished":
                finished = True

    number = None if winner is None else winner[1]
    return Ending(budget, extended, finished, number, frozenset(judged))
