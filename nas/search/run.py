"""One search from its plan to its winner: begin or continue the study, run it, leave `best/` with
its winner behind, and say what can be done next."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas import registry
from nas.contracts import Evaluator, Runner, Strategy, Trial
from nas.errors import (
    NotJudged,
    SettingsError,
    SpaceError,
    StoreError,
    StudyError,
    shell_word,
)
from nas.search.plan import Plan, read_study_json
from nas.study import Budget
from nas.study.attempt import plain
from nas.study.store import (
    CONFIRM,
    LEARNT,
    LEARNT_FILES,
    LOG,
    SUPERNET,
    Store,
    Sync,
    checkpoint_of,
    write_whole,
)
from nas.study.study import NEEDS_BUDGET, Constraint, Study, Watch, Weigh
from search_spaces.cells.genotype import OP_NAMES, Genotype
from search_spaces.cells.space import SearchSpace

if TYPE_CHECKING:
    from nas.search.learning import Learnt

_OURS = {"study.json", "study.json.tmp", LOG, LEARNT, f"{LEARNT}.tmp"}

Notice = Callable[..., None]  # of a text, and what it is about
Substitution = Callable[[Plan, Evaluator], Evaluator]  # who judges in its place


@dataclass(frozen=True, slots=True)
class OpenSearch:
    """A study ready to run: the plan it follows, who judges for it, and where it runs."""

    plan: Plan
    study: Study
    evaluator: Evaluator
    runner: Runner


@contextmanager
def open_search(
    plan: Plan,
    folder: Path,
    budget: Budget | None,
    watch: Watch | None = None,
    evaluator: Evaluator | None = None,
    learnt: Learnt | None = None,
    around: Substitution | None = None,
) -> Iterator[OpenSearch]:
    """Begin a study in this folder, or continue the one with the same settings that lies there.

    Whatever can be refused is refused before anything is written.

    Args:
        evaluator: what the plan would make, where several studies share one.
        learnt: what older studies judged, where several studies share that.
        around: who judges in the evaluator's place, made of it and of the plan.
    """
    is_there = (folder / "study.json").exists()
    notice = _noticed(watch)
    if is_there:
        ready = prepare_continuation(plan, folder, budget, evaluator, notice)
    else:
        ready = prepare_beginning(plan, folder, budget, evaluator, notice, learnt)
    if around is not None:
        ready = replace(ready, evaluator=around(ready.plan, ready.evaluator))

    with _locked(folder, ready.sync) as store:
        if not is_there:
            _write_plan(ready, folder)
        with _study(ready, folder, watch, store) as study:
            if ready.plan.learn_from:
                from nas.search.learning import let_go

                let_go(folder, study.ledger.kept)  # the log holds it now
            if is_there and not study.is_over:
                ready.runner.check(ready.evaluator, folder)
            yield OpenSearch(ready.plan, study, ready.evaluator, ready.runner)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A search of which nothing can be refused any more."""

    plan: Plan
    budget: Budget | None  # None: as far as the study's own log says
    strategy: Strategy
    evaluator: Evaluator
    runner: Runner
    constraint: Constraint | None
    recorded: Mapping[str, Any]
    weigh: Weigh | None
    learnt: Learnt | None = None

    @property
    def sync(self) -> Sync:
        """How often the log is synced: once a second is enough where a trial costs nothing."""
        return "grouped" if self.evaluator.cheap else "each"


def prepare_beginning(
    plan: Plan,
    folder: Path,
    budget: Budget | None,
    evaluator: Evaluator | None,
    notice: Notice = lambda _: None,
    learnt: Learnt | None = None,
) -> Prepared:
    """A study that begins in a folder of its own."""
    _refuse_foreign(folder)
    if budget is None or not budget.to_dict():
        raise StudyError(NEEDS_BUDGET)
    made = parts_of(plan, budget, evaluator)
    made.runner.check(made.evaluator, folder)
    if evaluator is None:
        made.evaluator.prepare(folder, plan.seed, notice)
    plan = plan.with_measured(plain(made.evaluator.measured()))
    if plan.objectives is not None and plan.scales is None:
        from nas.search.objectives import scales_of

        scales = scales_of(plan.objectives, made.evaluator, made.strategy.space, notice)
        plan = replace(plan, scales=scales)
    if not plan.learn_from:
        return replace(made, plan=plan)
    from nas.search.learning import learnt_for

    learnt = learnt or learnt_for(plan, made.constraint)
    return replace(made, plan=replace(plan, learnt=learnt.facts), learnt=learnt)


def prepare_continuation(
    plan: Plan,
    folder: Path,
    budget: Budget | None,
    evaluator: Evaluator | None,
    notice: Notice = lambda _: None,
) -> Prepared:
    """The study that lies in this folder, which goes on exactly as it would have."""
    from nas.search.continuing import begun_plan, budget_before_first_line, refuse_changed
    from nas.search.old_options import still_measured

    plan = begun_plan(plan, folder)
    made = parts_of(plan, budget or budget_before_first_line(folder, plan), evaluator)
    if evaluator is None:
        made.evaluator.prepare(folder, plan.seed, notice)
    measured = plain(made.evaluator.measured())
    refuse_changed(still_measured(plan.measured, measured), measured, folder)
    refuse_changed(read_study_json(folder)["recorded"], made.recorded, folder)
    if not plan.learn_from:
        return made
    from nas.search.learning import read_learnt

    return replace(made, learnt=read_learnt(folder))


def run(search: OpenSearch) -> str | None:
    """Run to the end of the budget (or until stopped); returns why the study ended, None when it
    has not."""
    search.runner.run(search.study, search.evaluator)
    return settle(search)


def settle(search: OpenSearch) -> str | None:
    """What follows the last trial: the end, the finals of the incumbents, the winner; None when
    more may follow."""
    reason = search.study.finish()
    try:
        if reason is not None:
            open_finals(search.study, search.evaluator)
    finally:
        write_best(search.study, search.evaluator)
    return reason


def parts_of(plan: Plan, budget: Budget | None, evaluator: Evaluator | None) -> Prepared:
    """The parts of a study, each as its options say."""
    space = plan.make_space()
    _refuse_strangers(plan, space)
    runner = plan.make_runner()  # what its options lack is said before anything is written
    evaluator = evaluator or plan.make_evaluator(space)
    for fidelity in plan.fidelity or ():
        evaluator.at(fidelity)  # refused where it knows no shorter training
    strategy = plan.make_strategy(space)
    constraint = _constraint(plan, evaluator, space)
    recorded = plain(strategy.recorded())
    weigh = _weigher(plan, evaluator)
    return Prepared(plan, budget, strategy, evaluator, runner, constraint, recorded, weigh)


def constraint_for(plan: Plan) -> Constraint | None:
    """What is skipped in every study of this plan."""
    space = plan.make_space()
    return _constraint(plan, plan.make_evaluator(space), space)


def _constraint(plan: Plan, evaluator: Evaluator, space: SearchSpace) -> Constraint | None:
    """What is skipped, where there are limits or drawings that are no architectures."""
    if not plan.limits and type(space).flaw is SearchSpace.flaw:
        return None
    from nas.search.limits import constraint_of

    return constraint_of(plan, evaluator, space)


def _weigher(plan: Plan, evaluator: Evaluator) -> Weigh | None:
    """What works the objectives of a trial out, where there are several."""
    if plan.objectives is None:
        return None
    from nas.search.objectives import Weigher

    return Weigher(plan.objectives, evaluator.measures)


def _noticed(watch: Watch | None) -> Notice:
    """What is said of preparations goes to whoever watches."""

    def notice(text: str, about: str = SUPERNET) -> None:
        if watch is not None:
            watch({"event": "notice", "about": about, "text": text})

    return notice


def _study(ready: Prepared, folder: Path, watch: Watch | None, store: Store) -> Study:
    return Study(
        folder,
        ready.strategy,
        seed=ready.plan.seed,
        rules=ready.plan.rules,
        budget=ready.budget,
        constraint=ready.constraint,
        start_from=ready.plan.start_from,
        watch=watch,
        store=store,
        fingerprint=ready.plan.fingerprint,
        last_step=ready.evaluator.last_step,
        weigh=ready.weigh,
        learnt=() if ready.learnt is None else ready.learnt.judgements,
    )


@contextmanager
def _locked(folder: Path, sync: Sync) -> Iterator[Store]:
    """The log, ours alone; if that fails, the folder is as it was."""
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise StudyError(
            f"{folder} cannot be made: {problem.strerror}; choose another with --out"
        ) from problem
    try:
        store = Store(folder / LOG, sync=sync)
    except StoreError:
        if made:
            with suppress(OSError):
                folder.rmdir()
        raise
    with store:
        yield store


def _write_plan(ready: Prepared, folder: Path) -> None:
    """Write `study.json` under the lock of the log, so that of two first commands at once only one
    does."""
    if (folder / "study.json").exists():
        raise StudyError(
            f"another search has begun in {folder} this moment: choose another with --out"
        )
    if ready.learnt is not None:
        from nas.search.learning import write_learnt

        write_learnt(folder, ready.learnt, ready.plan.rules.keep)
    ready.plan.write(folder, ready.budget or Budget(), ready.recorded)


def _refuse_strangers(plan: Plan, space: SearchSpace) -> None:
    """Strategies learn from genotypes they can encode, so those a user begins with must lie in the
    space."""
    for genotype in plan.start_from:
        try:
            space.encode(genotype)
        except SpaceError as problem:
            raise SettingsError(f"--start-from: {problem}") from problem


def is_ours(path: Path) -> bool:
    """Whether a study that never began may have left it."""
    return path.name in _OURS or path.name.startswith(SUPERNET)


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise StudyError(
            f"{folder} is a file: a study needs a folder of its own, choose another with --out"
        )
    try:
        names = (
            {path.name for path in folder.iterdir() if not is_ours(path)}
            if folder.exists()
            else set()
        )
        if (folder / LEARNT).exists():
            names.discard(LEARNT_FILES)
        strangers = sorted(names)
    except OSError as problem:
        raise StudyError(f"{folder} cannot be read: {problem.strerror}") from problem
    if strangers:
        raise StudyError(
            f"{folder} is a folder of something else ({strangers[0]} is in it): choose "
            "another with --out"
        )
    if (folder / LOG).exists() and (folder / LOG).stat().st_size:
        raise StudyError(
            f"{folder} has a log but no study.json: restore study.json from a copy, or choose "
            "another with --out"
        )


# ------------------------------------------------------------------ the folder best/


def open_finals(study: Study, evaluator: Evaluator) -> None:
    """Read what winners are judged by: only of a finished study, only for its incumbents; each
    reading is logged."""
    assert study.ledger.finished is not None
    judged = {trial.number: trial for trial in _winners(study)}
    for number, trial in judged.items():
        if number in study.ledger.opened:
            continue
        kept = checkpoint_of(study.folder, number)
        try:
            final = evaluator.final(trial.genotype, kept=kept if kept.is_dir() else None)
        except NotJudged as problem:
            study.notice(
                f"trial {number} is not judged until this command is given again: {problem}",
                "winner",
            )
            continue
        if final:
            study.record_final(number, final)


def write_best(study: Study, evaluator: Evaluator) -> None:
    """Leave the winner in `best/`: its genotype, and drawings where real networks were trained."""
    best = study.ledger.best
    if best is None:
        return
    folder, cells = study.folder / "best", not evaluator.cheap
    number, genotype = best.trial.number, best.trial.genotype
    if study.folder.name.startswith(CONFIRM) or any(study.folder.glob(f"{CONFIRM}*")):
        from nas.search.confirmed import chosen_for, search_of

        number, genotype = chosen_for(study.folder) or (number, genotype)
        above = search_of(study.folder)
        if above is not None and (chosen := chosen_for(above)):
            draw_best(above / "best", *chosen, cells=cells)
    draw_best(folder, number, genotype, cells=cells)
    if study.ledger.front:
        from nas.search.record import FRONT

        _write_front(folder / FRONT, study)


def draw_best(folder: Path, number: int, genotype: Genotype, *, cells: bool) -> None:
    """Leave a winner in this folder: its genotype, and a drawing of its cells where that is
    wanted."""
    _clear_other_export(folder, genotype.key, number)
    write_whole(folder / "genotype.json", genotype.to_json() + "\n")
    if cells and genotype.cells:
        from nas.drawings.svg import cells_svg

        write_whole(folder / "cells.svg", cells_svg(genotype))


def _winners(study: Study) -> Iterator[Trial]:
    """The incumbents by the score, and all on the front."""
    yield from (incumbent.trial for incumbent in study.ledger.incumbents)
    yield from (owner.trial for _, owner in study.ledger.front)


def _write_front(folder: Path, study: Study) -> None:
    """A folder for each trial on the front; those that left it leave the folder."""
    wanted = {f"trial-{owner.trial.number}": owner for _, owner in study.ledger.front}
    for old in folder.glob("trial-*"):
        if old.name not in wanted:
            shutil.rmtree(old)
    for name, owner in wanted.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        write_whole(place / "genotype.json", owner.trial.genotype.to_json() + "\n")


def _clear_other_export(folder: Path, key: str, number: int) -> None:
    """Files of an earlier winner would be taken for those of this one."""
    if not folder.exists():
        return
    from nas.search.record import clear, read_record

    record = read_record(folder)
    if record is not None and (record.subject.get("key"), record.subject.get("trial")) != (
        key,
        number,
    ):
        clear(folder, record, but=("genotype.json",))


# ------------------------------------------------------------------ what comes next


def next_commands(
    search: OpenSearch, *, exported: bool, interrupted: bool, last: bool = False
) -> Iterator[str]:
    """The commands that go on from here, the likeliest first.

    Args:
        last: whether more trials of this study would mean nothing, as of a confirmation.
        exported: whether the winner left the house already.
        interrupted: whether the search was stopped before its budget was spent.
    """
    plan, study = search.plan, search.study
    folder, again = shell_word(str(study.folder)), plan.resume_command(study.folder)
    nas = _nas_with_own_ops(plan, study)
    if interrupted:
        yield again
    if study.ledger.best is not None:
        yield f"{nas} show {shell_word(str(study.folder / 'best' / 'genotype.json'))}"
        yield f"nas best {folder} --top 5"
        if len(study.ledger.front) > 1 and not search.evaluator.cheap:
            yield f"{nas} export {folder} --front"
        if exported:
            yield f"{nas}{plan.retrain_command(study.folder).removeprefix('nas')}"
        elif not search.evaluator.cheap:
            yield f"{nas} export {folder}"
    if not interrupted and not last and (more := _more(study)):
        yield f"{again} {more}"


def _nas_with_own_ops(plan: Plan, study: Study) -> str:
    """How commands begin that read the winner: with the file of its space, where its operations
    are known from there alone."""
    name, best = plan.space.name, study.ledger.best
    if best is None or not registry.is_outside("space", name):
        return "nas"
    nodes = [node for cell in best.trial.genotype.cells.values() for node in cell.nodes]
    if {edge.op for node in nodes for edge in node.edges} <= set(OP_NAMES):
        return "nas"
    return f"nas --import {shell_word(name.partition(':')[0])}"


def _more(study: Study) -> str | None:
    """The flag that lets this study go on: its budget with the limit that ended it raised."""
    ledger, budget = study.ledger, study.ledger.budget
    if budget.seconds is not None and ledger.cost >= budget.seconds:
        return f"--budget-seconds {2 * budget.seconds:g}"
    if budget.trials is not None and ledger.bought_trials >= budget.trials:
        return f"--trials +{budget.trials}"
    if budget.hours is not None and study.wall_seconds() >= budget.hours * 3600:
        return f"--max-hours {2 * budget.hours:g}"
    return None
