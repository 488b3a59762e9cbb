"""One genotype judged by any evaluator, without a search."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.contracts import Evaluation, Failure, Report, Trial
from nas.errors import StudyError
from nas.registry import refuse_unless_allowed
from nas.search.words import assignment
from nas.study.attempt import attempt
from search_spaces.cells.genotype import Genotype


def evaluate_once(
    genotype: Genotype, tree: Mapping[str, Any], space: str | None, seed: int, report: Report
) -> Evaluation:
    """Judge it as the trial of a study would be judged.

    Args:
        tree: settings of the evaluator and its tables, as of a search.
        space: the space it belongs to; None: the one it names.
    """
    if space is None:
        refuse_unless_allowed("space", genotype.space)  # a word of the file, not of the user
    named = {**tree.get("space", {}), "name": space or genotype.space}
    plan = assignment({**tree, "space": named, "strategy": {"name": "random-search"}}).plan
    evaluator = plan.make_evaluator(plan.make_space())

    with tempfile.TemporaryDirectory() as folder:
        outcome = attempt(evaluator, Trial(0, genotype, seed), Path(folder), report)
    if isinstance(outcome, Evaluation):
        return outcome
    assert isinstance(outcome, Failure)  # nobody stops it early
    reason = outcome.message.partition("\n")[0]
    raise StudyError(f"{plan.evaluator.name} cannot judge this genotype: {reason}")
