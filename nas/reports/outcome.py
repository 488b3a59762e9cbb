"""What arms are compared by: one number per study, chosen by rule before anyone looks at who
wins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from nas.reports.experiment import Arm, Experiment
from nas.reports.frame import Frame, RecordedPart, Task, Winner

HYPERVOLUME: Final = "hypervolume"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The number studies are compared by.

    Args:
        kind: `final`: what winners are judged by after a study; `score`: what the search itself
            saw.
        name: the expression, as recorded.
        confirmed: winners were chosen by a second evaluation of the best trials.
        winners: how many studies have a winner.
        judged: how many of these winners have a final, whether or not it is what arms are compared
            by.
        judge: who chose these winners, where it is another one than the judge of the searches.
    """

    kind: Literal["final", "score"]
    name: str
    confirmed: bool
    winners: int = 0
    judged: int = 0
    judge: str | None = None

    def of(self, arm: Arm, seed: int) -> float:
        """The outcome of one study; NaN where it has none."""
        chosen = self.winner(arm, seed)
        if chosen is None:
            return math.nan
        return chosen.final.get(self.name, math.nan) if self.kind == "final" else chosen.score

    def winner(self, arm: Arm, seed: int) -> Winner | None:
        """The genotype a study chose in the end."""
        study = arm.confirmations[seed] if self.confirmed else arm.studies[seed]
        return study.winner


def outcome_of(experiment: Experiment) -> Outcome:
    """The finals where every finished study has read one of the same name, else the score; where
    fronts are measured, what they cover."""
    if experiment.task.scales is not None:
        return Outcome("score", HYPERVOLUME, confirmed=False)
    confirmed = any(arm.confirmations for arm in experiment.arms)
    names: list[set[str]] = []
    for arm in experiment.arms:
        for seed in arm.finished:
            study = (
                arm.confirmations[seed]
                if confirmed and seed in arm.confirmations
                else arm.studies[seed]
            )
            if study.winner is not None:
                names.append(set(study.winner.final))
    shared = set.intersection(*names) if names else set()
    judge = experiment.judge.name if experiment.two_judges else None
    counts = len(names), sum(map(bool, names)), judge
    if shared:
        return Outcome("final", sorted(shared)[0], confirmed, *counts)
    name = score_name(experiment.task) if judge is None else _score_of(experiment.judge)
    return Outcome("score", name, confirmed, *counts)


def score_name(task: Task) -> str:
    """What the search itself sees, in the user's words where there are any."""
    return HYPERVOLUME if task.scales is not None else _score_of(task.evaluator)


def _score_of(judge: RecordedPart) -> str:
    return str(judge.options.get("score") or "score")


def outcomes(arm: Arm, outcome: Outcome) -> dict[int, float]:
    """The outcome of every finished study that has one, by seed."""
    found = {
        seed: outcome.of(arm, seed)
        for seed in arm.finished
        if not outcome.confirmed or seed in arm.confirmations
    }
    return {seed: value for seed, value in found.items() if not math.isnan(value)}


def sampling(study: Frame, outcome: Outcome) -> tuple[float, float]:
    """Random sampling, read off a random search: the mean score of all its draws, and the final of
    its first.

    The first trial of a study is always an incumbent, so where finals need no weights its final is
    read anyway: an unbiased draw at no cost.
    """
    if not len(study.score):
        return math.nan, math.nan
    first = study.bests[0]
    is_drawn = first.trials > 0  # else older studies judged it
    final = first.final.get(outcome.name, math.nan) if outcome.kind == "final" else math.nan
    final = final if is_drawn else math.nan
    return float(study.score.mean()), final
