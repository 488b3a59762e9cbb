"""Is this log what a study would write? Every trial ended once, and replay proposes the same
genotypes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from nas.contracts import Proposal, Strategy
from nas.errors import StoreError
from nas.search.plan import Plan, differences, read_study_json
from nas.search.reading import events_of
from nas.seeding import derive
from nas.study.attempt import plain
from nas.study.events import ENDS
from nas.study.ledger import Ledger
from nas.study.store import FORMAT, Event


@dataclass(slots=True)
class LogCheck:
    """What was looked at, and every sentence of complaint."""

    events: int = 0
    trials: int = 0
    proposals: int = 0
    open: int = 0
    proves_itself: bool = False  # whether its lines have checksums
    as_of: float | None = None  # when the last line that was looked at was written
    problems: list[str] = field(default_factory=list)


def check(folder: Path, plan: Plan) -> LogCheck:
    """Read the log as a study would and compare."""
    result = LogCheck()
    try:
        result.problems += _Order(result).complaints(folder)
        if not result.problems:
            result.problems += _replay(folder, plan, result)
    except (StoreError, KeyError, TypeError) as problem:
        result.problems.append(
            str(problem) if isinstance(problem, StoreError) else f"a line lacks {problem}"
        )
    return result


def checked(folder: Path, plan: Plan) -> dict[str, Any]:
    """The same as JSON."""
    result = check(folder, plan)
    return {
        "sound": not result.problems,
        "events": result.events,
        "trials": result.trials,
        "open": result.open,
        "proposals_replayed": result.proposals,
        "proves_itself": result.proves_itself,
        "as_of": result.as_of,
        "problems": result.problems,
    }


class _Order:
    """Numbers rise by one; a trial is asked before anything happens to it and ends once; a
    duplicate ends alike."""

    def __init__(self, result: LogCheck) -> None:
        self._result = result
        self._expected = 0
        self._duplicates: dict[int, int | None] = {}
        self._ends: dict[int, tuple[str, Any]] = {}

    def complaints(self, folder: Path) -> Iterator[str]:
        for _, event in events_of(folder):
            self._result.events += 1
            self._result.as_of = event.get("time")
            if self._result.events == 1:
                self._result.proves_itself = event.get("format") == FORMAT
            if self._result.events == 1 and event["event"] != "started":
                yield f"the log begins with {event['event']}, not with started"
            if event["event"] in ("asked", "skipped"):
                yield from self._proposed(event)
            elif "number" in event and event["event"] != "updated":
                yield from self._happened(event)
        self._result.trials = len(self._duplicates)
        self._result.open = len(self._duplicates) - len(self._ends)

    def _proposed(self, event: Event) -> Iterator[str]:
        number = event["number"]
        if number != self._expected:
            yield f"number {number} follows {self._expected - 1}: numbers must rise by one"
        self._expected = number + 1
        if event["event"] == "asked":
            self._duplicates[number] = event.get("duplicate_of")

    def _happened(self, event: Event) -> Iterator[str]:
        kind, number = event["event"], event["number"]
        if number not in self._duplicates:
            yield f"{kind} speaks of trial {number}, which was never asked"
        elif kind in ENDS:
            yield from self._ended(kind, number, event)
        elif number in self._ends and kind != "opened":
            yield f"trial {number} was {kind} after it had ended"

    def _ended(self, kind: str, number: int, event: Event) -> Iterator[str]:
        if number in self._ends:
            yield f"trial {number} ended more than once"
        end = self._ends[number] = (kind, event.get("score"))
        original = event.get("reused")
        if original != self._duplicates[number]:
            yield (
                f"trial {number} was asked as a duplicate of {self._duplicates[number]}, but "
                f"reuses {original}"
            )
        elif original is not None and end != self._ends.get(original):
            yield (
                f"trial {number} says it ended like trial {original}, but that one ended otherwise"
            )


def _replay(folder: Path, plan: Plan, result: LogCheck) -> Iterator[str]:
    """A fresh strategy that is told the same past proposes the same."""
    ledger = Ledger(plan.rules)
    strategy = plan.make_strategy(plan.make_space())
    # a running study has written more by now; what was looked at before is what is spoken of
    for offset, event in islice(events_of(folder), result.events):
        if event["event"] in ("asked", "skipped") and "learnt" not in event:
            result.proposals += 1
            complaint = _differs(event, plan, strategy, ledger.counts["learnt"])
            if complaint:
                yield complaint + _because(folder, strategy)
                return  # every later proposal hangs on this one
        heard = ledger.apply(event, offset)
        if heard is not None:
            strategy.tell(*heard)
            strategy.diagnostics()


def _because(folder: Path, strategy: Strategy) -> str:
    """What has changed since the study was begun, where that may be why."""
    lines = differences(read_study_json(folder)["recorded"], plain(strategy.recorded()))
    return f": what it was begun with has changed ({'; '.join(lines)})" if lines else ""


def _differs(event: Event, plan: Plan, strategy: Strategy, learnt: int) -> str | None:
    """What is wrong with a proposal; `learnt` trials came before the first of them."""
    number = event["number"]
    place = number - learnt
    given = plan.start_from[place] if place < len(plan.start_from) else None
    proposal = Proposal(given) if given else strategy.ask(number)
    if proposal is None or proposal.genotype.to_dict() != event["genotype"]:
        return f"replay proposes another genotype as number {number}"
    if proposal.genotype.key != event["key"]:
        return f"the key of number {number} is not that of its genotype"
    if event["event"] == "asked" and event["seed"] != derive(plan.seed, "trial", number):
        return f"the seed of trial {number} is not the one that follows from the seed of the study"
    return None
