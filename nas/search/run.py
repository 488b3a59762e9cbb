"""One search from its plan to its winner: open or continue the study, run it, leave `best/`
behind."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.contracts import Evaluator
from nas.errors import NotJudged, SettingsError, SpaceError, StoreError, StudyError
from nas.search.plan import Plan, differences, read_study_json
from nas.search.record import clear, read_record
from nas.study.attempt import plain
from nas.study.files import write_whole
from nas.study.kept_files import checkpoint_of
from nas.study.ledger import Ledger
from nas.study.rules import Budget
from nas.study.store import Event, Store, Sync, read_events
from nas.study.study import Constraint, Study, Watch
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

_OURS = {"study.json", "study.json.tmp", "events.jsonl"}


@dataclass(frozen=True, slots=True)
class OpenSearch:
    """A study ready to run: the plan it follows, and the evaluator that judges for it."""

    plan: Plan
    study: Study
    evaluator: Evaluator


@contextmanager
def opened(
    plan: Plan,
    folder: Path,
    budget: Budget | None,
    watch: Watch | None = None,
    evaluator: Evaluator | None = None,
) -> Iterator[OpenSearch]:
    """Begin a study in this folder, or continue the one with the same settings that lies there.

    Whatever can be refused is refused before anything is written.

    Args:
        evaluator: what the plan would make, where several studies share one.
    """
    there = (folder / "study.json").exists()
    if there:
        plan = _continued(plan, folder)
        budget = budget or _budget_before_first_line(folder, plan)
    else:
        _refuse_foreign(folder)
    if not there and (budget is None or not budget.to_dict()):
        raise StudyError("a study needs a budget: trials, seconds of evaluation or hours")
    space = plan.make_space()
    _refuse_strangers(plan, space)
    runner = plan.make_runner()  # what its options lack is said before anything is written
    if not there:
        runner.check()
    evaluator = evaluator or plan.make_evaluator(space)
    strategy = plan.make_strategy(space)
    measured, recorded = plain(evaluator.measured()), plain(strategy.recorded())
    constraint = _constraint(evaluator, plan, space.sample)
    if there:
        _refuse_changed(plan.measured, measured, folder)
        _refuse_changed(read_study_json(folder)["recorded"], recorded, folder)
    else:
        plan = plan.with_measured(measured)
    with _locked(folder, "grouped" if evaluator.cheap else "each") as store:
        if not there:
            _write_plan(plan, folder, budget, recorded)
        study = Study(
            folder,
            strategy,
            seed=plan.seed,
            rules=plan.rules,
            budget=budget,
            constraint=constraint,
            start_from=plan.start_from,
            watch=watch,
            store=store,
            last_step=evaluator.last_step,
        )
        with study:
            yield OpenSearch(plan, study, evaluator)


def run(search: OpenSearch) -> str | None:
    """Run to the end of the budget (or until stopped); returns why the study ended, None when it
    has not."""
    search.plan.make_runner().run(search.study, search.evaluator)
    return settle(search)


def settle(search: OpenSearch) -> str | None:
    """What follows the last trial: the end, the finals of the incumbents, the winner; None when
    more may follow."""
    reason = search.study.finish()
    try:
        if reason is not None:
            open_finals(search.study, search.evaluator)
    finally:
        write_best(search)
    return reason


def open_finals(study: Study, evaluator: Evaluator) -> None:
    """Read what winners are judged by: only of a finished study, only for its incumbents; each
    reading is logged."""
    assert study.ledger.finished is not None
    for incumbent in study.ledger.incumbents:
        number = incumbent.trial.number
        if number in study.ledger.opened:
            continue
        kept = checkpoint_of(study.folder, number)
        try:
            final = evaluator.final(incumbent.trial.genotype, kept=kept if kept.is_dir() else None)
        except NotJudged as problem:
            study.notice(
                f"trial {number} is not judged until this command is given again: {problem}",
                "winner",
            )
            continue
        if final:
            study.record_final(number, final)


def write_best(search: OpenSearch) -> None:
    """Leave the winner in `best/`: its genotype, and drawings where real networks were trained."""
    best = search.study.ledger.best
    if best is None:
        return
    folder = search.study.folder / "best"
    genotype = best.trial.genotype
    _clear_other_export(folder, genotype.key, best.trial.number)
    write_whole(folder / "genotype.json", genotype.to_json() + "\n")
    if not search.evaluator.cheap and genotype.cells:
        from nas.drawings.svg import cells_svg

        write_whole(folder / "cells.svg", cells_svg(genotype))


def _clear_other_export(folder: Path, key: str, number: int) -> None:
    """Files of an earlier winner would be taken for those of this one."""
    record = read_record(folder)
    if record is not None and (record.subject.get("key"), record.subject.get("trial")) != (
        key,
        number,
    ):
        clear(folder, record, but=("genotype.json",))


def ledger_of(folder: Path, plan: Plan) -> Ledger:
    """What the log of this study amounts to; any number of readers may look while it is written."""
    ledger = Ledger(plan.rules)
    for offset, event in events_of(folder):
        ledger.apply(event, offset)
    return ledger


def budget_of(folder: Path, ledger: Ledger) -> Budget:
    """The budget of a study; before the first line of its log, the one it was begun with."""
    if ledger.sessions:
        return ledger.budget
    try:
        return Budget(**read_study_json(folder).get("budget", {}))
    except TypeError as problem:
        raise StudyError(f"the budget in {folder / 'study.json'} is none: {problem}") from problem


def events_of(folder: Path, start: int = 0) -> Iterator[tuple[int, Event]]:
    """The log of a study from an offset on; one killed before its first line has none yet."""
    log = folder / "events.jsonl"
    return read_events(log, start) if log.exists() else iter(())


def trial_events(folder: Path, number: int) -> list[Mapping[str, Any]]:
    """Everything the log says of one trial."""
    return [event for _, event in events_of(folder) if event.get("number") == number]


def ranked(folder: Path, top: int) -> list[tuple[float, Mapping[str, Any], Mapping[str, Any]]]:
    """The best distinct trials of a study: score, `asked` event, `told` event; of equals the one
    told first."""
    asked: dict[int, Mapping[str, Any]] = {}
    told: list[tuple[float, Mapping[str, Any]]] = []
    for _, event in events_of(folder):
        if event["event"] == "asked" and "duplicate_of" not in event:
            asked[event["number"]] = event
        elif event["event"] == "told" and "reused" not in event:
            told.append((event["score"], event))
    told.sort(
        key=lambda entry: -entry[0]
    )  # stable, so that the first is the winner that the ledger names
    return [(score, asked[event["number"]], event) for score, event in told[:top]]


def finals(folder: Path) -> dict[int, Mapping[str, float]]:
    """What the incumbents of a finished study were judged by, by the numbers of their trials."""
    return {
        event["number"]: event["final"]
        for _, event in events_of(folder)
        if event["event"] == "opened"
    }


def _continued(plan: Plan, folder: Path) -> Plan:
    old = Plan.read(folder)
    lines = differences(old.identity(), plan.identity())
    if lines:
        raise StudyError(
            f"{folder} holds a study with other settings ({'; '.join(lines)}): give these "
            "settings, resume it as it is "
            f"with `nas resume {shlex.quote(str(folder))}`, or choose another folder with --out"
        )
    return old.with_runner(plan.runner)


def _budget_before_first_line(folder: Path, plan: Plan) -> Budget | None:
    log = folder / "events.jsonl"
    if log.exists() and log.stat().st_size and ledger_of(folder, plan).sessions:
        return None
    return budget_of(folder, Ledger(plan.rules))


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
        store = Store(folder / "events.jsonl", sync=sync)
    except StoreError:
        if made:
            with suppress(OSError):
                folder.rmdir()
        raise
    with store:
        yield store


def _write_plan(
    plan: Plan, folder: Path, budget: Budget | None, recorded: Mapping[str, Any]
) -> None:
    """Write `study.json` under the lock of the log, so that of two first commands at once only one
    does."""
    if (folder / "study.json").exists():
        raise StudyError(
            f"another search has begun in {folder} this moment: choose another with --out"
        )
    plan.write(folder, budget or Budget(), recorded)


def _refuse_strangers(plan: Plan, space: SearchSpace) -> None:
    """Strategies learn from genotypes they can encode, so those a user begins with must lie in the
    space."""
    for genotype in plan.start_from:
        try:
            space.encode(genotype)
        except SpaceError as problem:
            raise SettingsError(f"--start-from: {problem}") from problem


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise StudyError(
            f"{folder} is a file: a study needs a folder of its own, choose another with --out"
        )
    try:
        strangers = (
            [path.name for path in folder.iterdir() if path.name not in _OURS]
            if folder.exists()
            else []
        )
    except OSError as problem:
        raise StudyError(f"{folder} cannot be read: {problem.strerror}") from problem
    if strangers:
        raise StudyError(
            f"{folder} is a folder of something else ({sorted(strangers)[0]} is in it): choose "
            "another with --out"
        )
    if (folder / "events.jsonl").exists() and (folder / "events.jsonl").stat().st_size:
        raise StudyError(
            f"{folder} has a log but no study.json: restore study.json from a copy, or choose "
            "another with --out"
        )


def _refuse_changed(old: Mapping[str, Any], new: Mapping[str, Any], folder: Path) -> None:
    """Data that was replaced, weights that a controller started from, a preset that means something
    else by now."""
    lines = differences(old, new)
    if lines:
        raise StudyError(
            f"what {folder} was begun with has changed ({'; '.join(lines)}), so it would not "
            "continue exactly: "
            "restore it, or begin another study with --out"
        )


def _constraint(
    evaluator: Evaluator, plan: Plan, sample: Callable[[Any], Genotype]
) -> Constraint | None:
    limits = plan.limits
    if not limits:
        return None
    from nas.seeding import numpy_rng

    known = evaluator.costs(sample(numpy_rng(0, "limits")))
    for name in limits:
        if name not in known:
            raise SettingsError(
                f"evaluator {plan.evaluator.name!r} does not know the {name} of a genotype before "
                "it is evaluated, "
                f"so --max-{name} cannot be held; it knows {', '.join(sorted(known)) or 'nothing'}"
            )

    def violated(genotype: Genotype) -> str | None:
        costs = evaluator.costs(genotype)
        over = [name for name, limit in limits.items() if costs[name] > limit]
        return f"{over[0]} {costs[over[0]]:,.0f} > {limits[over[0]]:,.0f}" if over else None

    return violated
