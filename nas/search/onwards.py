"""What can be done with a study next, as commands to be copied."""

from __future__ import annotations

import math
from collections.abc import Iterator

from nas import registry
from nas.errors import shell_word
from nas.search.run import OpenSearch
from nas.study.study import Study
from search_spaces.cells.genotype import OP_NAMES


def next_commands(search: OpenSearch, *, exported: bool, interrupted: bool) -> Iterator[str]:
    """The commands that go on from here, the likeliest first.

    Args:
        exported: whether the winner left the house already.
        interrupted: whether the search was stopped before its budget was spent.
    """
    study, folder = search.study, shell_word(str(search.study.folder))
    again = search.plan.resume_command(study.folder)
    nas = _nas_with_own_ops(search)
    if interrupted:
        yield again
    if study.ledger.best is not None:
        yield f"{nas} show {shell_word(str(study.folder / 'best' / 'genotype.json'))}"
        yield f"nas best {folder} --top 5"
        if exported:
            yield f"{nas}{search.plan.retrain_command(study.folder).removeprefix('nas')}"
        elif not search.evaluator.cheap:
            yield f"{nas} export {folder}"
    if not interrupted and (more := _more(study)):
        yield f"{again} {more}"


def rounds_left(search: OpenSearch) -> int:
    """How often every worker still gets a trial; 0 where the budget counts no trials, or where
    others than this machine work."""
    trials, runner = search.study.ledger.budget.trials, search.plan.runner
    if trials is None or runner.name != "local":
        return 0
    workers: int = runner.options["workers"]
    return math.ceil((trials - search.study.ledger.ended_trials) / workers)


def _nas_with_own_ops(search: OpenSearch) -> str:
    """How commands begin that read the winner: with the file of its space, where its operations
    are known from there alone."""
    name, best = search.plan.space.name, search.study.ledger.best
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
