"""From words to a plan: settings of a file and of the command line, put together and checked, flags
over file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.errors import SettingsError, SpaceError, known_names, shortened
from nas.registry import allow, is_outside, load, names, resolve
from nas.search.plan import Plan, made_space
from nas.settings import Part, Word, assignments, complete, merged, options_of, read_config
from nas.study import Budget, Duplicates, EarlyStop, Rules, StoppedAs
from search_spaces.cells import Decided
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

if TYPE_CHECKING:
    from nas.search.objectives import Objectives
    from nas.search.screening import Screen

DEFAULTS = {"space": "nasnet", "strategy": "policy-gradient", "runner": "local"}
TRIALS_IF_COSTLY = 20
TRIALS_IF_CHEAP = 1_000
LAG = 8

PARTS = ("space", "strategy", "evaluator", "runner")
_BESIDE = ("skeleton", "recipe")  # tables of their own, that an evaluator may know
_TABLES = (*PARTS, "study", *_BESIDE, "screen")
_FLAGS = {
    "runner": (
        *("workers", "trial_timeout", "gpus_per_trial", "cpus_per_trial"),
        *("concurrency", "address"),
    ),
    "evaluator": (
        *("table", "score", "cost", "final", "decisions"),
        *("dataset", "preset", "data_dir", "skip_corrupt", "device"),
        *("latency_command", "latency_table"),
    ),
    "study": (
        *("seed", "trials", "budget_seconds", "max_hours", "duplicates", "retries"),
        *("failure_score", "stopped_as", "early_stop", "deterministic", "lag"),
        "evaluations_per_trial",
        *("max_params", "max_macs", "max_latency_ms", "start_from", "out"),
        *("objectives", "scales", "learn_from", "fidelity"),
    ),
}
PLACES = {name: (table, name) for table, names in _FLAGS.items() for name in names} | {
    part: (part, "name") for part in PARTS
}
PLACES["screen"] = ("screen", "judge")
_SUFFIXES = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9}


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is to be done: which study, how far, and in which folder."""

    plan: Plan
    budget: Budget | None  # None: as far as the study's own log says
    folder: Path


def tree_of_words(words: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a file, of `--set` and of flags as one tree; flags win, then `--set`, then
    the file."""
    return tree_of(words, assignments(words.get("settings") or []))


def tree_of(words: Mapping[str, Any], assigned: Mapping[str, Any]) -> dict[str, Any]:
    flags: dict[str, dict[str, Any]] = {}
    for name, value in words.items():
        if name in PLACES and value is not None and value != [] and value is not False:
            table, option = PLACES[name]
            if name == "table" and isinstance(value, list) and len(value) == 1:
                (value,) = value  # as a study with one table has always recorded it
            flags.setdefault(table, {})[option] = value

    config = words.get("config")
    return merged(read_config(Path(config)) if config else {}, merged(assigned, flags))


def assignment(tree: Mapping[str, Any]) -> Assignment:
    """Put a tree of settings (`{"strategy": {"name": ..., "population": ...}, ...}`) together."""
    tree, decided = _divided(tree)
    for table in tree:
        if table not in _TABLES:
            raise SettingsError(known_names(table, _TABLES, "part of the settings"))
        if not isinstance(tree[table], Mapping):
            raise SettingsError(
                f"{table} is {shortened(tree[table])}: expected a table, say {table}.name = '...'"
            )
    study = complete(_study_settings, tree.get("study", {}), "study")
    if study["seed"] < 0:
        raise SettingsError(f"study.seed is {study['seed']}: expected 0 or more")
    objectives = _objectives(study)
    limits = _limits(study)
    evaluator = _evaluator(tree, objectives, limits)
    space = _space(tree, evaluator)
    screen = _screen(tree)
    if decided:
        _refuse_unheeded(decided, evaluator, screen)
    plan = Plan(
        space=space,
        strategy=_part("strategy", tree),
        evaluator=evaluator,
        runner=_part("runner", tree),
        seed=study["seed"],
        rules=_rules(study),
        limits=limits,
        start_from=_genotypes(study["start_from"], space, decided),
        objectives=objectives,
        screen=screen,
        learn_from=tuple(str(Path(folder)) for folder in study["learn_from"]),
        fidelity=_fidelity(study),
        decided=decided,
    )
    folder = Path(study["out"]) if study["out"] else plan.default_folder()
    return Assignment(plan, _budget(study, evaluator, folder), folder)


def judged_by(evaluator: str, tree: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a search with another judge: those of its evaluator that the other one knows,
    and `own` on top."""
    allow(evaluator)
    tree, decided = _divided(tree)
    known = options_of(load("evaluator", evaluator))
    beside = {name: tree[name] for name in _BESIDE if name in tree}
    given = merged({**tree.get("evaluator", {})}, beside)
    shared = {name: value for name, value in given.items() if name in known}
    rest = {name: table for name, table in tree.items() if name not in _BESIDE}
    for name, values in decided.items():
        table, _, setting = name.partition(".")
        rest[table] = {**rest.get(table, {}), setting: values}
    return {**rest, "evaluator": {**merged(shared, own), "name": evaluator}}


def between_judges(tree: Mapping[str, Any], confirming: str) -> dict[str, Any]:
    """The settings of a search, where those that only the judge of its best knows are that one's: a
    surrogate has no data set, but the training that confirms has."""
    given = tree.get("evaluator", {})
    searching = _evaluator_name(given)
    for name in (searching, confirming):
        allow(name)
    here, there = (options_of(load("evaluator", name)) for name in (searching, confirming))
    theirs = there.keys() - here.keys()
    own = {name: value for name, value in given.items() if name in theirs}
    own |= {name: tree[name] for name in _BESIDE if name in tree and name in theirs}
    rest = {name: table for name, table in tree.items() if not (name in _BESIDE and name in theirs)}
    left = {name: value for name, value in given.items() if name not in own}
    if "evaluator" in rest:
        rest["evaluator"] = left
    return {**rest, "confirm": merged(own, tree.get("confirm", {}))}


def _divided(tree: Mapping[str, Any]) -> tuple[Mapping[str, Any], Decided]:
    """The settings, and those that were given several values, which few searches have."""
    evaluator = tree.get("evaluator")
    tables = (tree, evaluator if isinstance(evaluator, Mapping) else {})
    given = [each.get(name) for each in tables for name in _BESIDE]
    if not any(given):
        return tree, {}
    from nas.search.decided import divided

    return divided(tree)


def _refuse_unheeded(decided: Decided, evaluator: Part, screen: Screen | None) -> None:
    from nas.search.decided import refuse_for_latency_table, refuse_unheeded

    refuse_unheeded(evaluator.factory, evaluator.name, decided)
    if evaluator.options.get("latency_table") is not None:
        refuse_for_latency_table(decided)
    if screen is not None:  # of equal cells it may think alike, whatever their recipes
        networks = [name for name in decided if name.startswith("skeleton.")]
        refuse_unheeded(screen.judge.factory, screen.judge.name, networks)


def _screen(tree: Mapping[str, Any]) -> Screen | None:
    """The screen, whose judge has the options of the search that it knows, and its own on top."""
    own = dict(tree.get("screen", {}))
    if not own:
        return None
    text = own.pop("judge", None)
    if text is None:
        raise SettingsError("screen.* is set, but nobody screens: add --screen, say proxy.grasp:4")
    from nas.search.screening import Screen, screen_words

    name, proposals = screen_words(str(text))
    table = dict(judged_by(name, tree, own)["evaluator"])
    return Screen(Part.named("evaluator", table.pop("name"), table), proposals)


def _fidelity(study: Mapping[str, Any]) -> tuple[float, ...] | None:
    if study["fidelity"] is None:
        return None
    from nas.search.fidelities import fidelities_of

    for name, is_set in (
        ("--early-stop", study["early_stop"] != "none"),
        ("--objectives", study["objectives"] is not None),
        ("--evaluations-per-trial", study["evaluations_per_trial"] != 1),
    ):
        if is_set:
            raise SettingsError(
                f"--fidelity and {name} do not go together: leave one of the two out"
            )
    return fidelities_of(study["fidelity"])


def amount(text: str) -> float:
    """`3.3M` as 3,300,000."""
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)\s*([KMGB]?)\s*", str(text))
    if match is None or float(match[1]) <= 0:
        raise SettingsError(
            f"{shortened(str(text))} is no amount: expected a number above 0, say 3.3M or 600000"
        )
    return float(match[1]) * _SUFFIXES[match[2]]


def _study_settings(
    *,
    seed: int = 0,
    trials: int | None = None,
    budget_seconds: float | None = None,
    max_hours: float | None = None,
    duplicates: Duplicates = "reuse",
    evaluations_per_trial: int = 1,
    retries: int = 1,
    failure_score: float | None = None,
    stopped_as: StoppedAs = "worst",
    keep: int = 1,
    early_stop: EarlyStop = "none",
    grace_steps: int = 1,
    reduction: float = 3.0,
    grace_trials: int = 5,
    deterministic: bool = False,
    lag: int | None = None,
    max_params: str | float | None = None,
    max_macs: str | float | None = None,
    max_latency_ms: str | float | None = None,
    start_from: tuple[str, ...] = (),
    learn_from: tuple[str, ...] = (),
    objectives: str | tuple[str, ...] | None = None,
    scales: str | tuple[tuple[float, float], ...] | None = None,
    fidelity: str | None = None,
    out: str | None = None,
) -> None:
    """The signature is the list of study settings."""


def changed_runner(part: Part, name: str | None, tree: Mapping[str, Any]) -> Part:
    """The runner of a study that goes on elsewhere; nothing else of a study may change."""
    for table in tree:
        if table != "runner":
            raise SettingsError(
                f"{table}.* of a study cannot change: set runner.* only, or begin another study"
            )
    options = dict(tree.get("runner", {}))
    if (
        name is None
        or name == part.name
        or (":" not in name and resolve("runner", name) == part.name)
    ):
        typed = part.typed or name is not None
        return Part.named("runner", part.name, {**part.options, **options}, typed=typed)
    return Part.named("runner", name, options)


def _rules(study: Mapping[str, Any]) -> Rules:
    if study["lag"] is not None and not study["deterministic"]:
        raise SettingsError(
            "lag means something only in a deterministic study: add --deterministic, or leave it "
            "out"
        )
    if study["objectives"] is not None and study["failure_score"] is not None:
        raise SettingsError(
            "--failure-score is one number, and a study with several objectives has more: leave "
            "it out"
        )
    lag = (study["lag"] or LAG) if study["deterministic"] else None
    names = ("duplicates", "retries", "failure_score", "stopped_as", "keep")
    early = ("evaluations_per_trial", "early_stop", "grace_steps", "reduction", "grace_trials")
    return Rules(**{name: study[name] for name in (*names, *early)}, lag=lag)


def _objectives(study: Mapping[str, Any]) -> Objectives | None:
    if study["objectives"] is None and study["scales"] is None:
        return None
    from nas.search.objectives import objectives_of

    return objectives_of(study["objectives"], study["scales"])


def _part(kind: str, tree: Mapping[str, Any]) -> Part:
    table = dict(tree.get(kind, {}))
    name = str(table.pop("name", DEFAULTS.get(kind, "")))
    return Part.named(kind, name, table)


def _evaluator(
    tree: Mapping[str, Any], objectives: Objectives | None, limits: Mapping[str, float]
) -> Part:
    """The evaluator; tables `skeleton` and `recipe` beside it are options of its own."""
    table = dict(tree.get("evaluator", {}))
    name = _evaluator_name(table)
    table.pop("name", None)
    allow(name)
    known = options_of(load("evaluator", name))
    for beside in _BESIDE:
        if beside in tree:
            if beside not in known:
                raise SettingsError(f"evaluator {name!r} has no {beside}: it trains nothing")
            table[beside] = {**tree[beside], **dict(table.get(beside) or {})}
    if objectives is not None:
        table |= _measuring(table, known, objectives, limits)
    return Part.named("evaluator", name, table)


def _evaluator_name(table: Mapping[str, Any]) -> str:
    return str(table.get("name", "table" if "table" in table else _default_evaluator()))


def _measuring(
    table: Mapping[str, Any],
    known: Mapping[str, Any],
    objectives: Objectives,
    limits: Mapping[str, float],
) -> dict[str, Any]:
    """What an evaluator that scores by a formula, or names its metrics, is told of objectives."""
    if table.get("score") is not None:
        raise SettingsError(
            f"--score is {shortened(str(table['score']))} beside --objectives: the first objective "
            "is the score, so leave --score out"
        )
    told: dict[str, Any] = {}
    if "score" in known:
        told["score"] = objectives.formulas[0]
    if "metrics" in known and table.get("metrics") is None:
        told["metrics"] = list(dict.fromkeys((*objectives.names, *limits)))
    return told


def _default_evaluator() -> str:
    return "train" if "train" in names("evaluator") else "landscape"


def _space(tree: Mapping[str, Any], evaluator: Part) -> Part:
    table = dict(tree.get("space", {}))
    name = str(table.pop("name", DEFAULTS["space"]))
    own = is_outside("space", name)
    if not own and resolve("space", name) == "table" and "decisions" not in table:
        if evaluator.name != "table" or not evaluator.options["table"]:
            raise SettingsError(
                "space 'table' takes its decisions from a table: give --table FILE and --decisions"
            )
        from nas.evaluators.table import table_decisions

        decisions = table_decisions(evaluator.options["table"], evaluator.options["decisions"])
        table["decisions"] = {decision: list(options) for decision, options in decisions.items()}
    try:
        return Part.named("space", name, table)
    except SettingsError:
        from nas.search.decided import refuse_of_space

        refuse_of_space(table)
        raise


def _limits(study: Mapping[str, Any]) -> dict[str, float]:
    limits = {name: study[f"max_{name}"] for name in ("params", "macs", "latency_ms")}
    return {name: amount(str(limit)) for name, limit in limits.items() if limit is not None}


def _genotypes(sources: tuple[str, ...], space: Part, decided: Decided) -> tuple[Genotype, ...]:
    if not sources:
        return ()
    from nas.search.winners import genotype_at

    drawn_from = made_space(space, decided)
    return tuple(_as_of(drawn_from, genotype_at(source, drawn_from), decided) for source in sources)


def _as_of(space: SearchSpace, genotype: Genotype, decided: Decided) -> Genotype:
    """A cell that was published in another space, where it is a member of this one too; where
    settings are decided, it begins with the first value of each."""
    first = {name: values[0] for name, values in decided.items()}
    own = replace(genotype, space=space.name, settings=genotype.settings or first)
    try:
        space.encode(own)
    except SpaceError:
        return genotype
    return own


def _budget(study: Mapping[str, Any], evaluator: Part, folder: Path) -> Budget | None:
    budget = Budget(
        trials=study["trials"], seconds=study["budget_seconds"], hours=study["max_hours"]
    )
    if budget.to_dict():
        return budget
    if (folder / "study.json").exists():
        return None
    return Budget(
        trials=TRIALS_IF_CHEAP if getattr(evaluator.factory, "cheap", False) else TRIALS_IF_COSTLY
    )


def extended(
    budget: Budget,
    trials: str | None,
    seconds: float | None,
    hours: float | None,
    *,
    ended: int,
    open_trials: int,
) -> Budget:
    """A budget with new limits; trials may be given as `+N`, on top of those that have ended.

    Args:
        ended: how many trials have.
        open_trials: how many were begun besides; they run in any case.
    """
    count = budget.trials
    if trials is not None:
        more = re.fullmatch(r"(\+?)([0-9]{1,12})", trials.strip())
        if more is None:
            raise SettingsError(
                f"--trials is {shortened(trials)}: expected a number, or +N for N more than before"
            )
        count = int(more[2]) + (ended if more[1] else 0)
        if count < ended:
            raise SettingsError(
                f"--trials is {count}, but {ended:,} trials have ended already: give a larger "
                "number, or +N for N more"
            )
        count = max(count, ended + open_trials)
    return Budget(
        trials=count,
        seconds=budget.seconds if seconds is None else seconds,
        hours=budget.hours if hours is None else hours,
    )


__all__ = ["DEFAULTS", "Assignment", "Word", "amount", "assignment", "changed_runner", "extended"]
