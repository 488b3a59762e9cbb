"""What a comparison is asked for, put together and checked; and the folder that it gets."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.errors import SettingsError
from nas.registry import is_outside, resolve
from nas.search.comparing.arms import BASELINE, arms_of, seeds_of
from nas.search.comparing.plan import Asked, Confirm, ConfirmBy
from nas.search.plan import Plan
from nas.search.words import DEFAULTS, assignment, between_judges, judged_by
from nas.settings import Part
from nas.study import Budget

_OF_A_JUDGE = ("space", "evaluator", "skeleton", "recipe")


def asked_of(
    tree: Mapping[str, Any],
    strategies: str,
    seeds: str,
    *,
    confirm: int | None = None,
    confirm_score: str | None = None,
    confirm_cost: str | None = None,
    confirm_by: ConfirmBy = "score",
    confirm_evaluator: str | None = None,
    margin: float | None = None,
    pilot: int = 0,
) -> tuple[Asked, Budget | None]:
    """The request, and the budget if the settings name one.

    Args:
        tree: the settings, and in a table `confirm` those of the judge that confirms alone.
        confirm_evaluator: who that is; None: the one that searches, with these settings.
    """
    other = confirm_evaluator is not None or bool(tree.get("confirm"))
    if confirm is None and (confirm_score or confirm_cost or confirm_by != "score" or other):
        raise SettingsError(
            "--confirm-score, --confirm-cost, --confirm-by, --confirm-evaluator and confirm.* say "
            "how to confirm: give --confirm K too"
        )
    if other and (confirm_score or confirm_cost):
        raise SettingsError(
            "--confirm-score and --confirm-cost are for the table that searches: of another judge, "
            "set confirm.score and confirm.cost"
        )
    if confirm is not None and "objectives" in tree.get("study", {}):
        raise SettingsError(
            "--confirm evaluates the best trials by one score again, and --objectives has several: "
            "leave one of them out"
        )
    if margin is not None and not (math.isfinite(margin) and margin >= 0):
        raise SettingsError(f"--margin is {margin}: expected a number, 0 or more")

    if confirm_evaluator is not None:
        tree = between_judges(tree, confirm_evaluator)
    shared = {name: table for name, table in tree.items() if name != "confirm"}
    arms, budget = arms_of(strategies, shared if confirm else _judged_by_other_seeds(shared))
    judge = _other_judge(arms[0].plan, tree, confirm_evaluator) if other else None
    again = (
        Confirm(confirm, confirm_score, confirm_cost, confirm_by, judge)
        if confirm is not None
        else None
    )
    return Asked(arms, seeds_of(seeds), Budget(), again, margin, pilot), budget


def _other_judge(plan: Plan, tree: Mapping[str, Any], evaluator: str | None) -> Part | None:
    """Who confirms: by the settings of the search that it knows, and its own on top; None where
    this is the judge that searches."""
    tables = {name: tree[name] for name in (*_OF_A_JUDGE, "runner") if name in tree}
    words = judged_by(evaluator or plan.evaluator.name, tables, tree.get("confirm", {}))
    judge = assignment({**words, "strategy": {"name": BASELINE}}).plan.evaluator
    return None if judge == plan.evaluator else judge


def _judged_by_other_seeds(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where a table has the score of each seed and nobody says what counts, searches see the first
    seed and their winners are judged by the others: never by the score they were chosen by."""
    given = tree.get("evaluator", {})
    name = str(given.get("name", "table" if "table" in given else ""))
    space = str(tree.get("space", {}).get("name", DEFAULTS["space"]))
    if {"score", "final"} & given.keys() or not name or is_outside("evaluator", name):
        return tree
    if "objectives" in tree.get("study", {}):
        return tree  # whose formulas say what counts
    if resolve("evaluator", name) != "table" or is_outside("space", space):
        return tree
    from nas.evaluators.table import expressions_by_seed

    table = given.get("table")
    by_seed = expressions_by_seed(
        table if table is None or isinstance(table, list) else str(table), resolve("space", space)
    )
    return {**tree, "evaluator": {**given, **by_seed}}


def default_folder(asked: Asked) -> Path:
    """A folder of its own for each comparison, so that the same request finds it again."""
    identities = json.dumps({arm.label: arm.identity() for arm in asked.arms}, sort_keys=True)
    mark = hashlib.sha256(identities.encode()).hexdigest()[:8]
    return Path("results") / f"compare-{asked.arms[0].plan.space.name}-{mark}"
