"""What must be as it was where a study goes on, and a sentence for what is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.errors import StudyError
from nas.search.plan import Plan, differences
from nas.search.reading import budget_of, events_of
from nas.study import Budget
from nas.study.ledger import Ledger


def begun_plan(plan: Plan, folder: Path) -> Plan:
    """The plan that this folder was begun with, on the runner of the one that is asked for."""
    for part in plan.parts:  # in a worker process nothing was typed
        part.allow()
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


def budget_before_first_line(folder: Path, plan: Plan) -> Budget | None:
    """The budget of a study that was killed before its log had a line; else its log says it."""
    if next(events_of(folder), None) is not None:
        return None
    return budget_of(folder, Ledger(plan.rules))


def refuse_changed(old: Mapping[str, Any], new: Mapping[str, Any], folder: Path) -> None:
    """Data that was replaced, weights that a controller started from, a preset that means something
    else by now."""
    lines = differences(old, new)
    if lines:
        raise StudyError(
            f"what {folder} was begun with has changed ({'; '.join(lines)}), so it would not "
            "continue exactly: "
            "restore it, or begin another study with --out"
        )
