"""All arms together as curves: incumbents, means of the best, distributions, fronts,
controllers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.reports import curves
from nas.reports.experiment import Arm, Experiment
from nas.reports.frame import Best
from nas.reports.outcome import Outcome

Floats = NDArray[np.float64]
Json = dict[str, Any]

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


def incumbents(experiment: Experiment, outcome: Outcome) -> Json:
    """Incumbents by score and by final, over trials and over cost."""
    every = list(experiment.frames)
    found: Json = {}
    for axis in ("trials", "cost"):
        where = curves.grid(every, axis)
        if not len(where):
            continue
        found[axis] = {"x": curves.rounded(where)}
        for what in ("score", "final") if _all_judged(experiment, outcome) else ("score",):
            found[axis][what] = {
                arm.label: _band(arm, axis, where, what, outcome) for arm in experiment.arms
            }
    return found


def _all_judged(experiment: Experiment, outcome: Outcome) -> bool:
    """Whether every incumbent has a final; where its weights are needed, only the last one has."""
    if outcome.kind != "final":
        return False
    studies = [study for arm in experiment.arms for study in arm.finished.values()]
    return all(outcome.name in best.final for study in studies for best in study.bests)


def _band(arm: Arm, axis: Any, where: Floats, what: str, outcome: Outcome) -> Json:
    def value(best: Best) -> float:
        return best.score if what == "score" else best.final.get(outcome.name, math.nan)

    rows = [curves.incumbents(study, axis, where, value) for study in arm.finished.values()]
    return curves.summary(np.array(rows).reshape(len(rows), len(where)))


def tops(experiment: Experiment) -> Json:
    """The figure of the NASNet paper: means of the best 1, 5 and 25 so far, averaged over seeds."""
    where = curves.grid(list(experiment.frames), "trials")
    found: Json = {"x": curves.rounded(where), "tops": {}}
    means = {
        arm.label: [curves.top_means(study, where) for study in arm.finished.values()]
        for arm in experiment.arms
    }
    for top in curves.TOPS:
        found["tops"][top] = {
            label: curves.summary(
                np.array([row[top] for row in rows]).reshape(len(rows), len(where))
            )
            for label, rows in means.items()
        }
    return found


def distributions(experiment: Experiment) -> Json:
    """How all scores of each arm are distributed, repeats included."""
    return {arm.label: curves.distribution(_scores(arm)) for arm in experiment.arms}


def _scores(arm: Arm) -> Floats:
    parts = [study.score for study in arm.studies.values()]
    return np.concatenate(parts) if parts else np.empty(0)


def fronts(experiment: Experiment) -> Json:
    """Score against what networks cost, per arm, over all seeds."""
    names = sorted({name for frame in experiment.frames for name in frame.metrics})
    found: Json = {}
    for name in names:
        found[name] = {}
        for arm in experiment.arms:
            studies = [study for study in arm.studies.values() if name in study.metrics]
            costs = (
                np.concatenate([study.metrics[name] for study in studies])
                if studies
                else np.empty(0)
            )
            scores = np.concatenate([study.score for study in studies]) if studies else np.empty(0)
            found[name][arm.label] = curves.front(costs, scores)
    return found


def controllers(experiment: Experiment) -> Json:
    """Diagnostics of arms that have a controller: medians and quartiles over seeds."""
    found: Json = {}
    for arm in experiment.arms:
        updates = [
            study.updates
            for study in arm.studies.values()
            if study.updates and "told" in study.updates[0]
        ]
        if not updates:
            continue
        end = float(np.median([records[-1]["told"] for records in updates]))
        where = np.unique(
            np.linspace(updates[0][0]["told"], max(end, updates[0][0]["told"]), 80).astype(np.int64)
        )
        named = {
            name: curves.over_told(updates, name, where.astype(np.float64))
            for name in CONTROLLER
            if any(name in records[-1] for records in updates)
        }
        found[arm.label] = {
            "told": where.tolist(),
            **{name: curves.summary(rows) for name, rows in named.items()},
            "collapsed": sum(any(record["alarm"] for record in records) for records in updates),
            "studies": len(updates),
        }
    return found
