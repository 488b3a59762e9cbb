"""One search from its plan to its winner: open or continue the study, run it, leave `best/`
behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nas.contracts import Evaluator, Runner, Strategy
from nas.errors import SettingsError, SpaceError, StoreError, StudyError
from nas.search.best import open_finals, write_best
from nas.search.objectives import Weigher, scales_of, weigher_of
from nas.search.plan import Plan, differences, read_study_json
from nas.study.attempt import plain
from nas.study.files import SUPERNET
from nas.study.rules import Budget
from nas.study.store import Store, Sync
from nas.study.study import NEEDS_BUDGET, Constraint, Study, Watch
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

_OURS = {"study.json", "study.json.tmp", "events.jsonl"}

Notice = Callable[[str], None]


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
) -> Iterator[OpenSearch]:
    """Begin a study in this folder, or continue the one with the same settings that lies there.

    Whatever can be refused is refused before anything is written.

    Args:
        evaluator: what the plan would make, where several studies share one.
    """
    is_there = (folder / "study.json").exists()
    prepare = prepare_continuation if is_there else prepare_beginning
    ready = prepare(plan, folder, budget, evaluator, _noticed(watch))

    with _locked(folder, ready.sync) as store:
        if not is_there:
            _write_plan(ready, folder)
        with _study(ready, folder, watch, store) as study:
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
    weigh: Weigher | None

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
) -> Prepared:
    """A study that begins in a folder of its own."""
    _refuse_foreign(folder)
    if budget is None or not budget.to_dict():
        raise StudyError(NEEDS_BUDGET)
    made = _made(plan, budget, evaluator)
    made.runner.check(made.evaluator, folder)
    if evaluator is None:
        made.evaluator.prepare(folder, plan.seed, notice)
    plan = plan.with_measured(plain(made.evaluator.measured()))
    if plan.objectives is not None and plan.scales is None:
        scales = scales_of(plan.objectives, made.evaluator, made.strategy.space)
        plan = replace(plan, scales=scales)
    return replace(made, plan=plan)


def prepare_continuation(
    plan: Plan,
    folder: Path,
    budget: Budget | None,
    evaluator: Evaluator | None,
    notice: Notice = lambda _: None,
) -> Prepared:
    """The study that lies in this folder, which goes on exactly as it would have."""
    from nas.search.old_options import still_measured

    plan = _continued(plan, folder)
    made = _made(plan, budget or _budget_before_first_line(folder, plan), evaluator)
    if evaluator is None:
        made.evaluator.prepare(folder, plan.seed, notice)
    measured = plain(made.evaluator.measured())
    _refuse_changed(still_measured(plan.measured, measured), measured, folder)
    _refuse_changed(read_study_json(folder)["recorded"], made.recorded, folder)
    return made


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


def _made(plan: Plan, budget: Budget | None, evaluator: Evaluator | None) -> Prepared:
    space = plan.make_space()
    _refuse_strangers(plan, space)
    runner = plan.make_runner()  # what its options lack is said before anything is written
    evaluator = evaluator or plan.make_evaluator(space)
    strategy = plan.make_strategy(space)
    constraint = _constraint(evaluator, plan, space)
    recorded = plain(strategy.recorded())
    weigh = weigher_of(plan.objectives, evaluator)
    return Prepared(plan, budget, strategy, evaluator, runner, constraint, recorded, weigh)


def _noticed(watch: Watch | None) -> Notice:
    """What is said of preparations goes to whoever watches."""

    def notice(text: str) -> None:
        if watch is not None:
            watch({"event": "notice", "about": SUPERNET, "text": text})

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
    )


def _continued(plan: Plan, folder: Path) -> Plan:
    old = Plan.read(folder)
    lines = differences(old.identity(), plan.identity())
    if lines:
        raise StudyError(
            f"{folder} holds a study with other settings ({'; '.join(lines)}): give these "
            "settings, resume it as it is "
            f"with `{old.resume_command(folder)}`, "
            "or choose another folder with --out"
        )
    return old.with_runner(plan.runner)


def _budget_before_first_line(folder: Path, plan: Plan) -> Budget | None:
    from nas.search.reading import budget_of, ledger_of
    from nas.study.ledger import Ledger

    log = folder / "events.jsonl"
    if log.exists() and log.stat().st_size and ledger_of(folder, plan.rules).sessions:
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


def _write_plan(ready: Prepared, folder: Path) -> None:
    """Write `study.json` under the lock of the log, so that of two first commands at once only one
    does."""
    if (folder / "study.json").exists():
        raise StudyError(
            f"another search has begun in {folder} this moment: choose another with --out"
        )
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
        strangers = (
            [path.name for path in folder.iterdir() if not is_ours(path)] if folder.exists() else []
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


def _constraint(evaluator: Evaluator, plan: Plan, space: SearchSpace) -> Constraint | None:
    """What is skipped: drawings that are no architectures, and those that are too large."""
    limits = plan.limits
    if not limits:
        return None if type(space).flaw is SearchSpace.flaw else space.flaw
    from nas.seeding import numpy_rng

    known = evaluator.costs(space.sample(numpy_rng(0, "limits")))
    for name in limits:
        if name not in known:
            raise SettingsError(
                f"evaluator {plan.evaluator.name!r} does not know the {name} of a genotype before "
                "it is evaluated, "
                f"so --max-{name} cannot be held; it knows {', '.join(sorted(known)) or 'nothing'}"
            )

    def violated(genotype: Genotype) -> str | None:
        if (flaw := space.flaw(genotype)) is not None:
            return flaw
        costs = evaluator.costs(genotype)
        over = [name for name, limit in limits.items() if costs[name] > limit]
        return f"{over[0]} {costs[over[0]]:,.0f} > {limits[over[0]]:,.0f}" if over else None

    return violated
