"""One arm with one seed: its search, then the confirmation of its best trials, each an ordinary
study."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from nas.contracts import Evaluator
from nas.search.comparing.arms import BASELINE
from nas.search.comparing.plan import Confirm
from nas.search.plan import Part, Plan
from nas.search.run import OpenSearch, opened, ranked, settle
from nas.seeding import derive
from nas.study.rules import Budget
from nas.study.store import read_events
from nas.study.study import Watch
from search_spaces.cells.genotype import Genotype

CONFIRM = "confirm"


@dataclass(frozen=True, slots=True)
class Lane:
    """What is to be done for one arm with one seed."""

    label: str
    seed: int
    plan: Plan
    folder: Path
    budget: Budget
    confirm: Confirm | None = None


@dataclass(frozen=True, slots=True)
class Judges:
    """The evaluators all lanes share: one for searching, one for confirming."""

    searching: Evaluator
    confirming: Evaluator


def judges(plan: Plan, confirm: Confirm | None) -> Judges:
    """Make both from the plan of any arm."""
    space = plan.make_space()
    searching = plan.make_evaluator(space)
    if confirm is None or _confirming(plan.evaluator, confirm) is plan.evaluator:
        return Judges(searching, searching)
    confirming = replace(plan, evaluator=_confirming(plan.evaluator, confirm))
    return Judges(searching, confirming.make_evaluator(space))


def searches(
    lane: Lane, judges: Judges, watch: Watch | None = None
) -> Generator[OpenSearch, None, None]:
    """Open one study after another; each must be run before the next is asked for, and is settled
    then."""
    with opened(lane.plan, lane.folder, lane.budget, watch, judges.searching) as search:
        yield search
        if settle(search) is None:
            return
    if lane.confirm is not None:
        plan = _confirmation(lane)
        if plan.start_from:
            budget = Budget(trials=len(plan.start_from))
            with opened(plan, lane.folder / CONFIRM, budget, watch, judges.confirming) as search:
                yield search
                settle(search)


def done(lane: Lane) -> bool:
    """Whether nothing is left to do, told from the files without replaying anything."""
    folder = lane.folder
    if lane.confirm is not None and not _ended(folder / CONFIRM, None):
        return False
    return _ended(folder, lane.budget)


def _ended(folder: Path, budget: Budget | None) -> bool:
    """Whether a study was begun with this budget, ended, was judged and left its winner.

    Where there is nothing to judge a winner by, this is not known: such a study is opened, and has
    nothing to do.
    """
    log = folder / "events.jsonl"
    if not (folder / "best" / "genotype.json").exists() or not log.exists():
        return False
    begun = finished = False
    winner: tuple[float, int] | None = None
    judged: set[int] = set()
    for _, event in read_events(log):
        match event["event"]:
            case "started" if "budget" in event:
                begun = budget is None or event["budget"] == budget.to_dict()
            case "extended":
                return False  # open it and see
            case "told" if "reused" not in event and (winner is None or event["score"] > winner[0]):
                winner = event["score"], event["number"]
            case "opened":
                judged.add(event["number"])
            case "finished":
                finished = True
    return begun and finished and (winner is None or winner[1] in judged)


def _confirmation(lane: Lane) -> Plan:
    """The best trials once more, with seeds that no search has seen; the same seeds for every
    arm."""
    assert lane.confirm is not None
    best = ranked(lane.folder, lane.confirm.top)
    return replace(
        lane.plan,
        strategy=Part.named("strategy", BASELINE, {}),
        evaluator=_confirming(lane.plan.evaluator, lane.confirm),
        seed=derive(lane.seed, "confirm"),
        rules=replace(lane.plan.rules, duplicates="retrain"),
        limits={},
        measured={} if lane.confirm.score or lane.confirm.cost else lane.plan.measured,
        start_from=tuple(Genotype.from_dict(asked["genotype"]) for _, asked, _ in best),
    )


def _confirming(evaluator: Part, confirm: Confirm) -> Part:
    changed = {
        name: text for name in ("score", "cost") if (text := getattr(confirm, name)) is not None
    }
    if not changed:
        return evaluator
    return Part.named(evaluator.kind, evaluator.name, {**evaluator.options, **changed})
