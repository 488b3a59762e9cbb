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
from nas.search.comparing.arms import arms_of, seeds_of
from nas.search.comparing.plan import Asked, Confirm, ConfirmBy
from nas.search.words import DEFAULTS
from nas.study import Budget


def asked_of(
    tree: Mapping[str, Any],
    strategies: str,
    seeds: str,
    *,
    confirm: int | None = None,
    confirm_score: str | None = None,
    confirm_cost: str | None = None,
    confirm_by: ConfirmBy = "score",
    margin: float | None = None,
    pilot: int = 0,
) -> tuple[Asked, Budget | None]:
    """The request, and the budget if the settings name one."""
    if confirm is None and (confirm_score or confirm_cost or confirm_by != "score"):
        raise SettingsError(
            "--confirm-score, --confirm-cost and --confirm-by say how to confirm: give --confirm K "
            "too"
        )
    if confirm is not None and "objectives" in tree.get("study", {}):
        raise SettingsError(
            "--confirm evaluates the best trials by one score again, and --objectives has several: "
            "leave one of them out"
        )
    if margin is not None and not (math.isfinite(margin) and margin >= 0):
        raise SettingsError(f"--margin is {margin}: expected a number, 0 or more")

    arms, budget = arms_of(strategies, tree if confirm else _judged_by_other_seeds(tree))
    again = (
        Confirm(confirm, confirm_score, confirm_cost, confirm_by) if confirm is not None else None
    )
    return Asked(arms, seeds_of(seeds), Budget(), again, margin, pilot), budget


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
