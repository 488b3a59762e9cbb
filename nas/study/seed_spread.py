"""How far the evaluations of one trial lie apart: what its metrics say where a score is a mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, Final, NamedTuple

from nas.study.events import is_number

_SD: Final = "score_sd"
_COUNT: Final = "evaluations"
_SCORES: Final = "scores"
FIRST_SEED: Final = "first_seed"  # the metrics of the evaluation whose files stay


class SeedSpread(NamedTuple):
    """The standard deviation of the scores of one trial, and how many there are."""

    sd: float
    evaluations: int

    @property
    def error(self) -> float:
        """The standard error of their mean."""
        return self.sd / math.sqrt(self.evaluations)

    def __str__(self) -> str:
        return f" ± {self.sd:.2g} over {self.evaluations} seeds"


def spread_metrics(scores: Sequence[float]) -> dict[str, Any]:
    """The metrics that tell of several scores; their mean is the score of the trial."""
    return {_SCORES: list(scores), _SD: stdev(scores), _COUNT: len(scores)}


def mean_of(values: Sequence[float]) -> float:
    """The mean; equal whole numbers stay what they are."""
    return values[0] if all(value == values[0] for value in values) else fmean(values)


def seed_spread(metrics: Mapping[str, Any]) -> SeedSpread | None:
    """The spread of a trial with these metrics; None where its score is of one evaluation."""
    sd, count = metrics.get(_SD), metrics.get(_COUNT)
    if not isinstance(sd, int | float) or not is_number(sd) or sd < 0:
        return None
    return SeedSpread(float(sd), count) if type(count) is int and count >= 2 else None


def own_metrics(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metrics of the very network whose weights stay, where others were judged beside it."""
    first = metrics.get(FIRST_SEED)
    return {**metrics, **first} if isinstance(first, dict) else metrics


def spread_told(metrics: Mapping[str, Any]) -> str:
    """What stands behind a score: ` ± 0.0041 over 3 seeds`, or nothing."""
    return str(seed_spread(metrics) or "")
