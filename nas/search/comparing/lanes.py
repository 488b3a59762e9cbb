"""One arm with one seed: its search, then the confirmation of its best trials, each an ordinary
study."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas.contracts import Evaluator
from nas.search.comparing.arms import BASELINE
from nas.search.comparing.plan import Confirm
from nas.search.confirmed import confirmation_begun
from nas.search.plan import Plan, read_study_json
from nas.search.reading import ending_of, ranked
from nas.search.run import OpenSearch, open_search, settle
from nas.seeding import derive
from nas.settings import Part
from nas.study import Budget
from nas.study.store import CONFIRM
from nas.study.study import Watch
from search_spaces.cells.genotype import Genotype

if TYPE_CHECKING:
    from nas.search.confirming import Believer
    from nas.search.learning import Learnt


@dataclass(frozen=True, slots=True)
class Lane:
    """What is to be done for one arm with one seed."""

    label: str
    seed: int
    plan: Plan
    folder: Path
    budget: Budget
    confirm: Confirm | None = None
    searched: bool = False  # by another lane: the confirmation is all that is left


@dataclass(frozen=True, slots=True)
class Judges:
    """The evaluators all lanes share: one for searching, one for confirming."""

    searching: Evaluator
    confirming: Evaluator
    learnt: Learnt | None = None  # by older studies
    believer: Believer | None = None  # says which trials are confirmed, where scores do not


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
    judges = _of_seed(lane, judges)
    if not lane.searched:
        with open_search(
            lane.plan, lane.folder, lane.budget, watch, judges.searching, judges.learnt
        ) as search:
            yield search
            if settle(search) is None:
                return
    if lane.confirm is not None:
        plan = _confirmation(lane, judges.believer)
        if plan.start_from:
            budget = Budget(trials=len(plan.start_from))
            place = _place(lane, plan)
            with open_search(plan, place, budget, watch, judges.confirming) as search:
                yield search
                settle(search)


def _of_seed(lane: Lane, judges: Judges) -> Judges:
    """The judges of this lane: those of all, or where each seed has its own, those of its seed."""
    if not judges.searching.per_seed:
        return judges
    own = lane.plan.make_evaluator(lane.plan.make_space())
    own.prepare(lane.folder.parents[1], lane.seed, lambda _: None)
    confirming = own if judges.confirming is judges.searching else judges.confirming
    return replace(judges, searching=own, confirming=confirming)


def done(lane: Lane) -> bool:
    """Whether nothing is left to do, told from the files without replaying anything."""
    folder = lane.folder
    if lane.confirm is not None:
        confirmation = confirmation_begun(folder)
        if confirmation is None or not _ended(confirmation, None):
            return False
    return lane.searched or _ended(folder, lane.budget)


def _ended(folder: Path, budget: Budget | None) -> bool:
    """Whether a study was begun with this budget, ended, was judged and left its winner.

    Where there is nothing to judge a winner by, this is not known: such a study is opened, and has
    nothing to do.
    """
    if not (folder / "best" / "genotype.json").exists():
        return False
    ending = ending_of(folder)
    if ending.extended:
        return False  # open it and see
    begun = ending.budget is not None and budget in (None, Budget(**ending.budget))
    return begun and ending.finished and ending.winner in (None, *ending.judged)


def _confirmation(lane: Lane, believer: Believer | None) -> Plan:
    """The best trials once more, with seeds that no search has seen; the same seeds for every
    arm."""
    assert lane.confirm is not None
    judge = lane.plan.evaluator
    return replace(
        lane.plan,
        strategy=Part.named("strategy", BASELINE, {}),
        evaluator=_confirming(judge, lane.confirm),
        seed=derive(lane.seed, "confirm"),
        rules=replace(lane.plan.rules, duplicates="retrain"),
        limits={},
        learn_from=(),  # fresh seeds are the point
        learnt=None,
        screen=None,
        fidelity=None,
        measured=lane.plan.measured if _confirming(judge, lane.confirm) is judge else {},
        start_from=_best(lane, believer),
    )


def _place(lane: Lane, plan: Plan) -> Path:
    """Where the best are confirmed: a folder of their own, once a search that went on has others
    than it had."""
    first = lane.folder / CONFIRM
    if not (first / "study.json").exists():
        return first
    there = read_study_json(first)["start_from"]
    same = there == [genotype.to_dict() for genotype in plan.start_from]
    return first if same else lane.folder / f"{CONFIRM}-{plan.fingerprint}"


def _best(lane: Lane, believer: Believer | None) -> tuple[Genotype, ...]:
    """The trials of a search that are confirmed."""
    assert lane.confirm is not None
    best = ranked(lane.folder, lane.confirm.top)
    if lane.confirm.by == "score" or not best:
        return tuple(Genotype.from_dict(asked["genotype"]) for _, asked, _, _ in best)
    from nas.search.confirming import believed

    assert believer is not None, "whoever asks for belief brings one"
    return believed(lane.folder, lane.plan, lane.confirm.top, believer)


def _confirming(evaluator: Part, confirm: Confirm) -> Part:
    if confirm.evaluator is not None:
        return confirm.evaluator
    changed = {
        name: text for name in ("score", "cost") if (text := getattr(confirm, name)) is not None
    }
    if not changed:
        return evaluator
    options = {**evaluator.options, **changed}
    return Part.named(evaluator.kind, evaluator.name, options, typed=evaluator.typed)
