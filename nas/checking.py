"""Is this log what a study would write? Every trial ended once, and replay proposes the same genotypes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nas.contracts import Proposal
from nas.ledger import Ledger
from nas.plan import Plan
from nas.store import read_events

_ENDS = ("told", "stopped", "failed")


@dataclass(slots=True)
class Check:
    """What was looked at, and every sentence of complaint."""

    events: int = 0
    trials: int = 0
    proposals: int = 0
    open: int = 0
    problems: list[str] = field(default_factory=list)


def check(folder: Path, plan: Plan) -> Check:
    """Read the log as a study would and compare."""
    result = Check()
    result.problems += _order(folder, result)
    if not result.problems:
        result.problems += _replay(folder, plan, result)
    return result


def _order(folder: Path, result: Check) -> Iterator[str]:
    """Numbers rise by one, a trial is asked before anything happens to it, and ends once."""
    asked: set[int] = set()
    ended: Counter[int] = Counter()
    expected = 0
    for _, event in read_events(folder / "events.jsonl"):
        result.events += 1
        kind, number = event["event"], event.get("number")
        if kind in ("asked", "skipped"):
            if number != expected:
                yield f"number {number} follows {expected - 1}: numbers must rise by one"
            expected = (number or 0) + 1
            asked.update({number} if kind == "asked" and number is not None else ())
        elif number is not None and kind != "updated":
            if number not in asked:
                yield f"{kind} speaks of trial {number}, which was never asked"
            if kind in _ENDS:
                ended[number] += 1
            elif ended[number] and kind != "opened":
                yield f"trial {number} was {kind} after it had ended"
    result.trials, result.open = len(asked), len(asked - ended.keys())
    yield from (f"trial {number} ended {times} times" for number, times in ended.items() if times > 1)


def _replay(folder: Path, plan: Plan, result: Check) -> Iterator[str]:
    """A fresh strategy that is told the same past proposes the same."""
    ledger = Ledger(plan.rules)
    strategy = plan.make_strategy(plan.make_space())
    for offset, event in read_events(folder / "events.jsonl"):
        if event["event"] in ("asked", "skipped"):
            result.proposals += 1
            number = event["number"]
            given = plan.start_from[number] if number < len(plan.start_from) else None
            proposal = Proposal(given) if given else strategy.ask(number)
            if proposal is None or proposal.genotype.to_dict() != event["genotype"]:
                yield f"replay proposes another genotype as number {number}"
                return
        heard = ledger.apply(event, offset)
        if heard is not None:
            strategy.tell(*heard)
            strategy.diagnostics()
