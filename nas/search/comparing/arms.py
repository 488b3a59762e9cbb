"""Who is compared: arms and seeds as words, and the plan of every pair of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nas.errors import SettingsError, known_names, shortened
from nas.search.plan import Plan
from nas.search.words import TRIALS_IF_CHEAP, TRIALS_IF_COSTLY, Assignment, assignment
from nas.study import Budget

BASELINE = "random-search"
MOST_SEEDS = 100_000

_TABLES = ("space", "evaluator", "runner", "study", "skeleton", "recipe", "screen")
_TAKEN = (*_TABLES, "strategy", "figures", "confirm", "report", "best")


@dataclass(frozen=True, slots=True)
class Arm:
    """One strategy with its options, under the name of its folder; the seed of its plan stands for
    all seeds."""

    label: str
    plan: Plan

    def with_seed(self, seed: int) -> Plan:
        """The plan of one of its studies."""
        return replace(self.plan, seed=seed)

    def identity(self) -> dict[str, Any]:
        """What makes this arm what it is, whatever the seed."""
        identity = self.plan.identity()
        del identity["seed"]
        return identity


def arms_of(strategies: str, tree: Mapping[str, Any]) -> tuple[list[Arm], Budget | None]:
    """The arms, and the budget if the settings name one; random search is always among them.

    Args:
        strategies: `evolution,small=evolution`: names of strategies, each with a label of its own
            if it needs one.
        tree: settings that all arms share, and tables named after an arm for its own options.
    """
    named = _labels(strategies)
    if BASELINE not in named.values():
        named = {**named, BASELINE: BASELINE}
    own, shared = _divided(tree, named)
    todo = [_assigned(shared, {"name": name, **own[label]}) for label, name in named.items()]
    arms = [Arm(label, each.plan) for label, each in zip(named, todo, strict=True)]
    study = shared.get("study", {})
    limited = any(study.get(name) is not None for name in ("trials", "budget_seconds"))
    return arms, todo[0].budget if limited else None


def seeds_of(text: str) -> list[int]:
    """`10` as 1 to 10, `5-8` as 5 to 8, `1,2,7` and `1-3,9` as they stand."""
    seeds: list[int] = []
    for piece in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", piece)
        if match is None:
            raise SettingsError(
                f"--seeds is {shortened(text)}: expected a number of seeds, a range 1-50 or a "
                "list 1,2,5"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if match[2] is None and "," not in text:
            first, last = 1, first
        if not 0 <= last - first < MOST_SEEDS:
            raise SettingsError(
                f"--seeds is {shortened(text)}: expected between 1 and {MOST_SEEDS:,} of them, in "
                "order"
            )
        seeds += range(first, last + 1)
    if len(set(seeds)) < len(seeds):
        raise SettingsError(
            f"--seeds is {shortened(text)}: it names a seed twice, but a seed counts once"
        )
    return seeds


def study_folder(folder: Path, label: str, seed: int) -> Path:
    """Where the study of this arm and seed lies."""
    return folder / label / f"seed-{seed}"


def baseline_of(arms: Iterable[tuple[str, str]]) -> str | None:
    """The label of the arm all others are measured by, from pairs of label and strategy."""
    labels = [label for label, strategy in arms if strategy == BASELINE]
    return BASELINE if BASELINE in labels else next(iter(labels), None)


def _labels(strategies: str) -> dict[str, str]:
    named: dict[str, str] = {}
    for piece in strategies.split(","):
        before, equals, after = piece.strip().partition("=")
        name = (after if equals else before).strip()
        label = re.sub(r"[^A-Za-z0-9._-]+", "-", before.strip()).strip(".-")
        if not name or not label:
            raise SettingsError(
                f"--strategies is {shortened(strategies)}: expected names with commas between them"
            )
        if label in _TAKEN:
            raise SettingsError(
                f"an arm cannot be called {label!r}: that name is taken, choose another before "
                "the ="
            )
        if label in named:
            raise SettingsError(
                f"two arms are called {label!r}: name one of them, as in small={name}"
            )
        named[label] = name
    return named


def _divided(
    tree: Mapping[str, Any], named: Mapping[str, str]
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Settings of single arms, and those that all share."""
    own: dict[str, dict[str, Any]] = {label: {} for label in named}
    shared: dict[str, Any] = {}
    spelled = {_spelling(label): label for label in named}
    for table, options in tree.items():
        if table == "strategy":
            raise SettingsError(
                "a setting of 'strategy' would be every arm's: name the arm, say --set "
                f"{next(iter(named))}.OPTION=..."
            )
        if table not in _TABLES and _spelling(table) in spelled:
            own[spelled[_spelling(table)]] = dict(options)
        elif table in _TABLES:
            shared[table] = options
        else:
            raise SettingsError(known_names(table, [*_TABLES, *named], "part of the settings"))
    return own, shared


def _spelling(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", label.lower())


def _assigned(shared: Mapping[str, Any], strategy: Mapping[str, Any]) -> Assignment:
    study = shared.get("study", {})
    if "seed" in study:
        raise SettingsError("a comparison has many seeds: give them with --seeds")
    if "max_hours" in study:
        raise SettingsError(
            "hours of wall clock depend on what else runs, so arms would not have the same: give "
            "--trials or "
            "--budget-seconds"
        )
    return assignment({**shared, "strategy": strategy, "study": {**study, "out": None}})


def default_budget(arms: Sequence[Arm]) -> Budget:
    """How far a study goes if nobody says so."""
    cheap = getattr(arms[0].plan.evaluator.factory, "cheap", False)
    return Budget(trials=TRIALS_IF_CHEAP if cheap else TRIALS_IF_COSTLY)
