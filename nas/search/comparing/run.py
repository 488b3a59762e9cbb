"""Run a comparison: every arm with every seed, each an ordinary study, from the first trial to the
last winner."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.contracts import Runner
from nas.errors import SettingsError, StudyError
from nas.search.comparing.arms import default_budget, study_folder
from nas.search.comparing.interleaved import Interleaved, Searches
from nas.search.comparing.lanes import Judges, Lane, done, judges, searches
from nas.search.comparing.plan import (
    FILE,
    Asked,
    alone_in,
    checked_confirm,
    read_comparison,
    refuse_changed,
    write_comparison,
)
from nas.search.comparing.processes import run_here, run_in_processes
from nas.search.old_options import still_measured
from nas.search.plan import Plan, differences
from nas.study import Budget
from nas.study.attempt import plain
from nas.study.store import LEARNT, SUPERNET
from nas.study.study import Watch

if TYPE_CHECKING:
    from nas.search.confirming import Believer
    from nas.search.learning import Learnt
    from nas.study.front import Scale

MOST_PROCESSES = 1024
_LEFT = (f"{FILE}.tmp", LEARNT, f"{LEARNT}.tmp")  # by a comparison that was killed at once


@dataclass(slots=True)
class Progress:
    """What a comparison tells whoever watches, and how it is told to stop."""

    total: int = 0
    ended: int = 0
    stopping: bool = False
    changed: Callable[[Progress], None] = lambda _: None
    trial_ended: Watch | None = None
    on_stop: Callable[[], None] = lambda: None
    notice: Callable[[str], None] = lambda _: None

    def stop(self) -> None:
        """Start nothing new."""
        self.stopping = True
        self.on_stop()

    def advance(self) -> None:
        """One more study is done."""
        self.ended += 1
        self.changed(self)

    def count(self) -> bool:
        """One more study is done; whether to go on."""
        self.advance()
        return not self.stopping


def compare(
    folder: Path,
    asked: Asked,
    budget: Budget | None,
    processes: int | None,
    progress: Progress,
    believer: Believer | None = None,
) -> bool:
    """Run what was asked, or what is left of it; whether everything is done.

    Args:
        asked: the request; its own budget counts only where none is given and none was before.
        budget: as given with this request.
        believer: says what is confirmed, where that is asked for by belief.
    """
    asked = replace(asked, confirm=asked.confirm and checked_confirm(asked.arms[0], asked.confirm))
    there = read_comparison(folder)
    if there is None:
        _refuse_foreign(folder)
    asked = _as_begun(_with_budget(asked, budget, there), there)
    asked = replace(asked, first_alone=_refuse_what_cannot_run(asked, progress.notice))
    asked, shared = _measured(folder, asked, there, progress.notice)
    runner = asked.arms[0].plan.make_runner()
    if there is None:
        if shared.confirming is not shared.searching:
            runner.check(shared.confirming, folder)  # not after all searches
        runner.check(shared.searching, folder)
    if there is not None:
        refuse_changed(folder, asked, there)
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        shared = replace(shared, learnt=_learnt(folder, asked, there), believer=believer)
        if shared.learnt is not None:
            from nas.search.learning import learnt_told

            progress.notice(learnt_told(asked.arms[0].plan, len(shared.learnt.judgements)))
        write_comparison(folder, asked, there)
        rounds = _rounds(_lanes(folder, asked))
        progress.total = sum(map(len, rounds))
        todo = _todo(rounds)
        progress.ended = progress.total - sum(map(len, todo))
        progress.changed(progress)
        _run(folder, asked, todo[0], shared, runner, processes, progress)
        if todo[1:] and not progress.stopping:
            confirming = replace(shared, searching=shared.confirming, learnt=None)
            runner = asked.arms[0].plan.make_runner()
            _run(folder, asked, todo[1], confirming, runner, processes, progress)
    return progress.ended == progress.total


def _rounds(lanes: list[Lane]) -> list[list[Lane]]:
    """Searches, each with its confirmation; where another judge confirms, one after the other, for
    a runner serves one judge at a time."""
    if lanes[0].confirm is None or lanes[0].confirm.evaluator is None:
        return [lanes]
    searching = [replace(lane, confirm=None) for lane in lanes]
    return [searching, [replace(lane, searched=True) for lane in lanes]]


def _todo(rounds: list[list[Lane]]) -> list[list[Lane]]:
    """What is left; a search that goes on may have other best ones, so it is confirmed anew."""
    first, *rest = rounds
    left = [lane for lane in first if not done(lane)]
    going_on = {lane.folder for lane in left}
    return [
        left,
        *([lane for lane in lanes if lane.folder in going_on or not done(lane)] for lanes in rest),
    ]


def _refuse_what_cannot_run(asked: Asked, notice: Callable[[str], None]) -> tuple[str, ...]:
    """Before anything is measured or written; also says which arms will only draw at random.

    Returns:
        Those that learn from the first of several objectives alone.
    """
    plan, confirm = asked.arms[0].plan, asked.confirm
    first_alone: list[str] = []
    space = plan.make_space()
    for arm in asked.arms:
        strategy = arm.plan.make_strategy(space)
        if 0 < (asked.budget.trials or 0) <= strategy.learns_after:
            notice(
                f"{arm.label} draws at random until it has heard of {strategy.learns_after:,} "
                "trials, and a study has "
                f"{asked.budget.trials:,}: it is random search here; give more --trials, or let "
                "it learn sooner"
            )
        if plan.objectives is not None and not strategy.takes_several:
            notice(f"{arm.label} learns from the first objective alone")
            first_alone.append(arm.label)
    plan.make_runner()
    cheap = getattr(plan.evaluator.factory, "cheap", False)
    if (
        confirm is not None
        and (confirm.score or confirm.cost)
        and not (cheap and plan.runner.name == "local")
    ):
        raise SettingsError(
            "--confirm-score and --confirm-cost read a table with other columns, in local "
            "processes: without them, the "
            "best trials are evaluated again with fresh seeds"
        )
    return tuple(first_alone)


def _with_budget(asked: Asked, budget: Budget | None, there: Mapping[str, Any] | None) -> Asked:
    if budget is None:
        budget = Budget(**there["budget"]) if there else default_budget(asked.arms)
    return replace(asked, budget=budget)


def _as_begun(asked: Asked, there: Mapping[str, Any] | None) -> Asked:
    """What a budget of trials buys stays what it was when the comparison was begun."""
    if there is None:
        return asked
    rules = replace(asked.arms[0].plan.rules, repeats=there["repeats"])
    arms = [replace(arm, plan=replace(arm.plan, rules=rules)) for arm in asked.arms]
    return replace(asked, arms=arms)


def _measured(
    folder: Path,
    asked: Asked,
    there: Mapping[str, Any] | None,
    notice: Callable[[str], None],
) -> tuple[Asked, Judges]:
    """What is fixed before the first trial is measured once, for all arms."""
    before = there["measured"] if there else {}
    arms = [replace(arm, plan=arm.plan.with_measured(before)) for arm in asked.arms]
    shared = judges(arms[0].plan, asked.confirm)
    _prepare(folder, arms[0].plan, shared, notice)
    measured = plain(shared.searching.measured())
    changed = differences(still_measured(before, measured), measured) if there else []
    if changed:
        raise StudyError(
            f"what {folder} was begun with has changed ({'; '.join(changed)}), so its arms would "
            "not have the same: "
            "restore it, or begin another comparison with --out"
        )
    arms = [replace(arm, plan=arm.plan.with_measured(measured)) for arm in arms]
    scales = _scales(arms[0].plan, shared, there)
    arms = [replace(arm, plan=replace(arm.plan, scales=scales)) for arm in arms]
    return replace(asked, arms=arms, measured=measured, scales=scales), shared


def _scales(
    plan: Plan, shared: Judges, there: Mapping[str, Any] | None
) -> tuple[Scale, ...] | None:
    """What every front of every arm is measured by; None where there is one score."""
    if plan.objectives is None:
        return None
    from nas.search.objectives import scales_of, scales_read

    if there is not None and there.get("scales") is not None:
        return scales_read(there["scales"])
    scales = scales_of(plan.objectives, shared.searching, plan.make_space())
    if scales is None:
        raise SettingsError(
            f"fronts of {', '.join(plan.objectives.formulas)} are compared by their hypervolume, "
            "and what counts of each is not known before an evaluation: give --scales "
            "'WORST:BEST, WORST:BEST'"
        )
    return scales


def _prepare(folder: Path, plan: Plan, shared: Judges, notice: Callable[[str], None]) -> None:
    """What judges need before the first trial, where one serves all seeds."""

    def told(text: str) -> None:
        notice(f"{SUPERNET}: {text}")

    if shared.searching.per_seed:
        _refuse_one_judge(plan)
    else:
        shared.searching.prepare(folder, 0, told)
    if shared.confirming is not shared.searching:
        if shared.confirming.per_seed:
            raise SettingsError(
                "confirm.supernets=per-seed makes a judge for each seed, and winners are confirmed "
                "by one for all: leave it out"
            )
        shared.confirming.prepare(folder, 0, told)


def _refuse_one_judge(plan: Plan) -> None:
    """Elsewhere than in local processes, one judge serves all seeds."""
    if plan.runner.name != "local":
        raise SettingsError(
            "evaluator.supernets=per-seed makes a judge for each seed, and --runner "
            f"{plan.runner.name} has one for all: leave one of the two out"
        )


def _learnt(folder: Path, asked: Asked, there: Mapping[str, Any] | None) -> Learnt | None:
    """What older studies judged, read once for all arms: they may grow or go meanwhile."""
    plan = asked.arms[0].plan
    if not plan.learn_from:
        return None
    from nas.search.learning import learnt_for, read_learnt, write_learnt
    from nas.search.run import constraint_for

    learnt = read_learnt(folder)
    if learnt is None and there is not None:
        raise StudyError(
            f"{folder / LEARNT} is gone, so further studies would not know what the others did: "
            "restore it, or begin another comparison with --out"
        )
    if learnt is None:
        learnt = learnt_for(plan, constraint_for(plan))
        write_learnt(folder, learnt, 0)
    return learnt


def _lanes(folder: Path, asked: Asked) -> list[Lane]:
    """All pairs, seed by seed, so that what comes late in the day comes late for every arm."""
    return [
        Lane(
            arm.label,
            seed,
            arm.with_seed(seed),
            study_folder(folder, arm.label, seed),
            asked.budget,
            asked.confirm,
        )
        for seed in asked.seeds
        for arm in asked.arms
    ]


def _run(
    folder: Path,
    asked: Asked,
    todo: Sequence[Lane],
    shared: Judges,
    runner: Runner,
    processes: int | None,
    progress: Progress,
) -> None:
    named = asked.arms[0].plan.runner
    if not todo:
        return
    if not shared.searching.cheap or named.name != "local":
        _run_interleaved(folder, asked, todo, shared, runner, progress)
        return
    count = processes or max(named.options["workers"], _cores())
    count = min(count, len(todo), MOST_PROCESSES)
    if count == 1:
        run_here(todo, shared, lambda _: progress.count())
    else:
        run_in_processes(todo, shared, count, lambda _: progress.count())


def _run_interleaved(
    folder: Path,
    asked: Asked,
    todo: Sequence[Lane],
    shared: Judges,
    runner: Runner,
    progress: Progress,
) -> None:
    plan = asked.arms[0].plan
    options = plan.runner.options
    workers = int(options.get("workers") or options.get("concurrency") or 1)
    many = Interleaved(
        folder,
        _rows(todo, shared, progress),
        rules=plan.rules,
        at_once=math.ceil(workers / len(todo)),
        ended=progress.advance,
        watch=progress.trial_ended,
    )
    progress.on_stop = many.stop
    if progress.stopping:
        return
    try:
        runner.run(many, shared.searching)
    finally:
        many.close()


def _rows(todo: Sequence[Lane], shared: Judges, progress: Progress) -> Iterator[list[Searches]]:
    for seed in dict.fromkeys(lane.seed for lane in todo):
        yield [searches(lane, shared, progress.trial_ended) for lane in todo if lane.seed == seed]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise StudyError(
            f"{folder} is a file: a comparison needs a folder of its own, choose another with --out"
        )
    strangers = (
        sorted(
            path.name
            for path in folder.iterdir()
            if path.name not in _LEFT and not path.name.startswith(SUPERNET)
        )
        if folder.exists()
        else []
    )
    if strangers:
        raise StudyError(
            f"{folder} is a folder of something else ({strangers[0]} is in it): choose another "
            "with --out"
        )
