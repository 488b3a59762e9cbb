"""How searches went: incumbents, means of the best, areas and targets, over trials and over
cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.reports.findings import Axis, Band, Distribution
from nas.reports.frame import Best, Frame
from nas.reports.statistics import LEVEL, t_quantile

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]

POINTS = 160
TOPS = (1, 5, 25)


def grid(frames: Sequence[Frame], axis: Axis) -> Floats:
    """Where curves are read: up to the end of the median study of the longest arm."""
    ends = [float(frame.ended if axis == "trials" else frame.total_cost) for frame in frames]
    end = float(np.median(ends)) if ends else 0.0
    if axis == "trials":
        return np.unique(np.linspace(1, max(end, 1), POINTS).astype(np.int64)).astype(np.float64)
    return np.linspace(end / POINTS, end, POINTS) if end > 0 else np.empty(0)


def incumbents(frame: Frame, axis: Axis, where: Floats, value: Callable[[Best], float]) -> Floats:
    """The value of the incumbent at each place; NaN before there is one."""
    if not frame.bests:
        return np.full(len(where), math.nan)
    places = np.array(
        [best.trials if axis == "trials" else best.cost for best in frame.bests], dtype=np.float64
    )
    values = np.array([math.nan, *(value(best) for best in frame.bests)])
    return np.asarray(values[np.searchsorted(places, where, side="right")])


def summary(rows: Floats) -> Band:
    """Median, quartiles, mean and its interval over seeds (rows), wherever every seed has a
    value."""
    whole = ~np.isnan(rows).any(axis=0) if len(rows) else np.zeros(rows.shape[1], dtype=bool)
    quartiles = np.full((3, rows.shape[1]), math.nan)
    mean, half = np.full(rows.shape[1], math.nan), np.full(rows.shape[1], math.nan)
    if whole.any():
        quartiles[:, whole] = np.quantile(rows[:, whole], [0.25, 0.5, 0.75], axis=0)
        mean[whole] = rows[:, whole].mean(axis=0)
    if whole.any() and len(rows) > 1:
        quantile = t_quantile((1 + LEVEL) / 2, len(rows) - 1)
        half[whole] = quantile * rows[:, whole].std(axis=0, ddof=1) / math.sqrt(len(rows))
    return Band(*map(rounded, (*quartiles, mean, mean - half, mean + half)))


def top_means(frame: Frame, where: Floats) -> dict[int, Floats]:
    """The mean score of the best 1, 5 and 25 distinct genotypes found so far; NaN before there are
    so many."""
    distinct = frame.told.drop_duplicates("key")
    scores = distinct["score"].to_numpy()
    ends = np.searchsorted(distinct["ended"].to_numpy(), where, side="right").tolist()
    means: dict[int, list[float]] = {top: [] for top in TOPS}
    best: list[float] = []

    for begin, end in pairwise((0, *ends)):  # places ascend, so each adds a few scores
        best = sorted((*best, *scores[begin:end].tolist()), reverse=True)[: TOPS[-1]]
        for top in TOPS:
            means[top].append(sum(best[:top]) / top if len(best) >= top else math.nan)
    return {top: np.array(values) for top, values in means.items()}


def area(frame: Frame, axis: Axis, end: float) -> float:
    """The mean height of the incumbent curve up to `end`; before its first result a study stands
    where that put it."""
    if not frame.bests or end <= 0:
        return math.nan
    places = [
        0.0,
        *(float(best.trials if axis == "trials" else best.cost) for best in frame.bests[1:]),
        end,
    ]
    places = [min(place, end) for place in places]
    widths = np.diff(places)
    return float(np.dot(widths, [best.score for best in frame.bests]) / end)


def reached(frame: Frame, target: float) -> Best | None:
    """The first incumbent at or above the target."""
    return next((best for best in frame.bests if best.score >= target), None)


def distribution(scores: Floats) -> Distribution:
    """The empirical distribution function at 200 of its own quantiles."""
    shares = np.linspace(0, 1, 201)
    quantiles = rounded(np.quantile(scores, shares)) if len(scores) else []
    return Distribution(rounded(shares), quantiles)


def front(costs: Floats, scores: Floats) -> list[tuple[float, float]]:
    """What no other trial beats in both: cheapest first, each more costly one higher."""
    known = ~np.isnan(costs)
    kept: list[tuple[float, float]] = []
    for cost, score in sorted(
        zip(costs[known].tolist(), scores[known].tolist(), strict=True), key=_cheap_and_good
    ):
        if not kept or score > kept[-1][1]:
            kept.append((cost, score))
    return kept


def over_told(updates: Sequence[pandas.DataFrame], name: str, where: Floats) -> Floats:
    """One diagnostic of controllers at numbers of told trials: a row per study, the last update
    before each place."""
    rows = []
    for each in updates:
        told = each["told"].to_numpy(np.float64)
        known = each[name].to_numpy(np.float64) if name in each else np.full(len(told), math.nan)
        values = np.array([math.nan, *known])
        rows.append(values[np.searchsorted(told, where, side="right")])
    return np.array(rows).reshape(len(rows), len(where))


def rounded(values: Any, digits: int = 7) -> list[float | None]:
    """Numbers for JSON: seven significant digits, None where there is none."""
    return [
        float(f"{value:.{digits}g}") if math.isfinite(value) else None
        for value in np.asarray(values).tolist()
    ]


def _cheap_and_good(point: tuple[float, float]) -> tuple[float, float]:
    return point[0], -point[1]
