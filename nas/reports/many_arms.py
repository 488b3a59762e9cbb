"""All arms together as curves: incumbents, means of the best, distributions, fronts,
controllers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.reports import curves
from nas.reports.experiment import Arm, Experiment
from nas.reports.findings import Axis, Band, ControllerCurves, Distribution, Incumbents, Tops
from nas.reports.frame import Best, JudgedOften
from nas.reports.outcome import Outcome

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]

CONTROLLER = (
    "entropy_share",
    "reward_mean",
    "baseline",
    "kl",
    "gradient_norm",
    "distinct_share",
    "critic_correlation",
    "known_share",
)


def incumbents(experiment: Experiment, outcome: Outcome) -> dict[Axis, Incumbents]:
    """Incumbents by score and by final, over trials and over cost."""
    axes: tuple[Axis, ...] = ("trials", "cost")
    places = {axis: curves.grid(list(experiment.frames), axis) for axis in axes}
    return {
        axis: _incumbents(experiment, outcome, axis, where)
        for axis, where in places.items()
        if len(where)
    }


def _incumbents(experiment: Experiment, outcome: Outcome, axis: Axis, where: Floats) -> Incumbents:
    def by(value: Callable[[Best], float]) -> dict[str, Band]:
        return {arm.label: _band(arm, axis, where, value) for arm in experiment.arms}

    judged = _all_judged(experiment, outcome)
    return Incumbents(
        curves.rounded(where),
        score=by(lambda best: best.score),
        final=by(lambda best: best.final.get(outcome.name, math.nan)) if judged else None,
    )


def _all_judged(experiment: Experiment, outcome: Outcome) -> bool:
    """Whether every incumbent has a final; where its weights are needed, only the last one has."""
    if outcome.kind != "final":
        return False
    studies = [study for arm in experiment.arms for study in arm.finished.values()]
    return all(outcome.name in best.final for study in studies for best in study.bests)


def _band(arm: Arm, axis: Axis, where: Floats, value: Callable[[Best], float]) -> Band:
    rows = [curves.incumbents(study, axis, where, value) for study in arm.finished.values()]
    return curves.summary(np.array(rows).reshape(len(rows), len(where)))


def tops(experiment: Experiment) -> Tops:
    """The figure of the NASNet paper: means of the best 1, 5 and 25 so far, averaged over seeds."""
    if experiment.task.scales is not None:
        return Tops([], {})
    where = curves.grid(list(experiment.frames), "trials")
    means = {
        arm.label: [curves.top_means(study, where) for study in arm.finished.values()]
        for arm in experiment.arms
    }

    def band(rows: Sequence[Mapping[int, Floats]], top: int) -> Band:
        return curves.summary(np.array([row[top] for row in rows]).reshape(len(rows), len(where)))

    found = {top: {label: band(rows, top) for label, rows in means.items()} for top in curves.TOPS}
    return Tops(curves.rounded(where), found)


def distributions(experiment: Experiment) -> dict[str, Distribution]:
    """How all scores of each arm are distributed, repeats included."""
    if experiment.task.scales is not None:
        return {}
    return {
        arm.label: curves.distribution(
            np.concatenate([study.score for study in arm.studies.values()])
        )
        for arm in experiment.arms
    }


def fronts(experiment: Experiment) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Score against what networks cost, per arm, over all seeds."""
    if experiment.task.scales is not None:
        return {}  # its surfaces show them
    found = {name for frame in experiment.frames for name in frame.metrics}
    names = sorted(found.difference(experiment.task.objectives))
    return {name: {arm.label: _front(arm, name) for arm in experiment.arms} for name in names}


def _front(arm: Arm, name: str) -> list[tuple[float, float]]:
    told = [study.told for study in arm.studies.values() if name in study.told]
    if not told:
        return []
    return curves.front(
        np.concatenate([study[name] for study in told]),
        np.concatenate([study["score"] for study in told]),
    )


def judged_often(experiment: Experiment) -> dict[str, Sequence[JudgedOften]]:
    """The best trials of the best study of each arm, where scores are means over seeds."""
    found = {}
    for arm in experiment.arms:
        there = [study.judged_often for study in arm.studies.values() if study.judged_often]
        if there:
            found[arm.label] = max(there, key=lambda best: best[0].score)
    return found


def controllers(experiment: Experiment) -> dict[str, ControllerCurves]:
    """Diagnostics of arms that have a controller: medians and quartiles over seeds."""
    found = {}
    for arm in experiment.arms:
        updates = [study.updates for study in arm.studies.values() if "told" in study.updates]
        if updates:
            found[arm.label] = _controller(updates)
    return found


def _controller(updates: Sequence[pandas.DataFrame]) -> ControllerCurves:
    first = updates[0]["told"].iloc[0]
    end = float(np.median([each["told"].iloc[-1] for each in updates]))
    where = np.unique(np.linspace(first, max(end, first), 80).astype(np.int64))
    named = {
        name: curves.over_told(updates, name, where.astype(np.float64))
        for name in CONTROLLER
        if any(name in each and each[name].notna().iloc[-1] for each in updates)
    }
    return ControllerCurves(
        told=where.tolist(),
        curves={name: curves.summary(rows) for name, rows in named.items()},
        collapsed=sum(bool(each["alarm"].any()) for each in updates),
        studies=len(updates),
    )
