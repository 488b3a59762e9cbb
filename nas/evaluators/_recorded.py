"""Judging by what was written down before, where it was; else by the evaluator that wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from nas.contracts import Evaluation, Evaluator, Report
from nas.evaluators._around import Around

if TYPE_CHECKING:
    from search_spaces.cells.genotype import Genotype

TAKEN_OVER: Final = "taken_over"  # the metric of a trial that was not evaluated here


@final
class Recorded(Around):
    """Another evaluator, but for genotypes whose evaluation with this seed is known.

    Args:
        known: evaluations by key, with the curves that were reported on the way.
    """

    def __init__(
        self, judge: Evaluator, known: Mapping[str, tuple[Evaluation, tuple[float, ...]]]
    ) -> None:
        super().__init__(judge)
        self._known = known

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """What is known; else the evaluator is asked."""
        found = self._known.get(genotype.key)
        if found is None:
            return self.judge.evaluate(genotype, seed=seed, workdir=workdir, report=report)
        evaluation, curve = found
        for step, score in enumerate(curve, 1):
            report(step, {"score": score})
        return Evaluation(
            evaluation.score, {**evaluation.metrics, TAKEN_OVER: True}, evaluation.seconds
        )
