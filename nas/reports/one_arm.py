"""One arm of a comparison as numbers: what it reached, how fast, at what cost, and its winner."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nas.reports import curves
from nas.reports.experiment import Arm
from nas.reports.findings import (
    Area,
    ArmRow,
    Axis,
    Champion,
    Costs,
    Counts,
    Curse,
    Goal,
    Improvement,
    Rates,
    Sampling,
    Spread,
    StudyRow,
    TargetReached,
)
from nas.reports.frame import Frame
from nas.reports.outcome import Outcome
from nas.reports.statistics import mean_interval, relative_improvement

Floats = NDArray[np.float64]


def arm_row(
    arm: Arm,
    outcome: Outcome,
    values: Mapping[str, Mapping[int, float]],
    sampled: Sampling | None,
    axis: Axis,
    goal: Goal | None,
    end: float,
) -> ArmRow:
    """What one arm did and what it cost; `end` is where areas under curves end."""
    mine = np.array(list(values[arm.label].values()))
    studies = list(arm.studies.values())
    scores = [study.winner.score for study in arm.finished.values() if study.winner]
    counts = _counts(studies)
    return ArmRow(
        label=arm.label,
        strategy=arm.strategy,
        options=arm.options,
        recorded=studies[0].settings.weights,
        studies=len(studies),
        finished=len(arm.finished),
        outcome=described(mine),
        score=described(np.array(scores)),
        improvement=_improvement(arm, outcome, values[arm.label], sampled),
        curse=_curse(arm) if outcome.confirmed and outcome.judge is None else None,
        area=_area(arm, axis, end),
        to_target=_to_target(arm, goal),
        counts=counts,
        rates=_rates(counts),
        costs=_costs(arm),
        winner=_winner(arm, outcome),
        per_seed=[_seed_row(arm, seed, outcome) for seed in arm.studies],
    )


def described(values: Floats) -> Spread:
    """Mean, spread and quartiles of one number per study."""
    if not len(values):
        return Spread(0)
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    return Spread(
        n=len(values),
        mean=float(values.mean()),
        sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        interval=mean_interval(values),
        median=middle,
        low_quartile=low,
        high_quartile=high,
        min=float(values.min()),
        max=float(values.max()),
    )


def _improvement(
    arm: Arm, outcome: Outcome, values: Mapping[int, float], sampled: Sampling | None
) -> Improvement | None:
    """Percent above random sampling, over the seeds both have.

    Where only winners have a final (its weights are needed), scores are compared: those by which
    winners were chosen.
    """
    if sampled is None:
        return None
    reference, by = sampled.outcomes, outcome.name
    if not reference:
        reference, by = sampled.scores, "score"
        values = {
            seed: winner.score
            for seed in values
            if (winner := outcome.winner(arm, seed)) is not None
        }
    seeds = [seed for seed in values if seed in reference]
    if not seeds:
        return None
    ours = np.array([values[seed] for seed in seeds])
    theirs = np.array([reference[seed] for seed in seeds])
    if theirs.mean() == 0:
        return None
    percent, interval = relative_improvement(ours, theirs)
    return Improvement(percent, interval, len(seeds), by)


def _curse(arm: Arm) -> Curse:
    """The winner's curse: how much of the best score of a search a second evaluation does not
    confirm."""
    rows = []
    for seed in arm.finished:
        search, again = arm.studies[seed].winner, arm.confirmations[seed]
        if search is None or again.winner is None:
            continue
        first = again.score[again.told["key"] == search.key]  # by belief it may not be among them
        same = float(first[0]) if len(first) else math.nan
        rows.append((search.score, same, again.winner.score, float(again.winner.key != search.key)))
    if not rows:
        return Curse(0)
    search_score, same_again, chosen, changed = (
        float(column.mean()) for column in np.array(rows).T
    )
    return Curse(len(rows), search_score, known(same_again), chosen, changed)


def _area(arm: Arm, axis: Axis, end: float) -> Area:
    values = np.array(
        [curves.area(study, axis, end) for study in arm.finished.values() if study.bests]
    )
    return Area(axis, end, described(values))


def _to_target(arm: Arm, goal: Goal | None) -> TargetReached | None:
    """Trials and cost until the target; a study that never got there counts as one that takes for
    ever."""
    studies = list(arm.finished.values())
    if goal is None or not studies:
        return None
    hits = [curves.reached(study, goal.score) for study in studies]
    trials = np.array([math.inf if hit is None else hit.trials for hit in hits])
    cost = np.array([math.inf if hit is None else hit.cost for hit in hits])
    with np.errstate(invalid="ignore"):
        return TargetReached(
            reached=sum(hit is not None for hit in hits),
            of=len(hits),
            median_trials=known(float(np.quantile(trials, 0.5, method="higher"))),
            median_cost=known(float(np.quantile(cost, 0.5, method="higher"))),
        )


def _counts(studies: Sequence[Frame]) -> Counts:
    ends = sum((Counter(study.counts) for study in studies), Counter())
    kinds = sum((Counter(study.failure_kinds) for study in studies), Counter())
    names = ("asked", "evaluated", "reused", "stopped", "failed", "skipped", "retried")
    counts = {name: ends[name] for name in names}
    counts["asked"] -= ends["learnt"]
    return Counts(**counts, failure_kinds=dict(sorted(kinds.items())))


def _rates(counts: Counts) -> Rates:
    """Shares of what was proposed: repeats of known genotypes, failures, early stops, skipped
    ones."""
    proposed = counts.asked + counts.skipped
    ended = (counts.reused, counts.failed, counts.stopped, counts.skipped)
    return Rates(*(count / proposed if proposed else 0.0 for count in ended))


def _costs(arm: Arm) -> Costs:
    """Everything that was spent, per study: children, confirmation, the strategy's own thinking."""
    studies = list(arm.studies.values())
    return Costs(
        trials=float(np.mean([study.ended for study in studies])),
        seconds=float(np.mean([study.total_cost for study in studies])),
        confirm_seconds=arm.confirm_seconds / len(studies),
        strategy_seconds=float(np.mean([study.strategy_seconds for study in studies])),
        wall_seconds=float(np.mean([study.wall_seconds for study in studies])),
    )


def _winner(arm: Arm, outcome: Outcome) -> Champion | None:
    """The genotype of the best study, chosen as a user could choose it: by score, never by what is
    read afterwards."""
    chosen = [(seed, outcome.winner(arm, seed)) for seed in arm.finished]
    there = [(seed, winner) for seed, winner in chosen if winner is not None]
    if not there:
        return None
    seed, winner = max(there, key=lambda pair: (pair[1].score, -pair[0]))
    studies = arm.confirmations if outcome.confirmed else arm.studies
    numbers = {
        name: value for name, value in winner.metrics.items() if isinstance(value, int | float)
    }
    return Champion(
        seed=seed,
        folder=str(studies[seed].folder),
        number=winner.number,
        key=winner.key,
        score=winner.score,
        final=winner.final,
        metrics=numbers,
        genotype=winner.genotype,
    )


def _seed_row(arm: Arm, seed: int, outcome: Outcome) -> StudyRow:
    study = arm.studies[seed]
    confirmed = arm.confirmations.get(seed)
    whole = seed in arm.finished
    return StudyRow(
        seed=seed,
        finished=study.finished is not None,
        outcome=known(outcome.of(arm, seed)) if whole else None,
        score=study.winner.score if study.winner else None,
        confirmed_score=confirmed.winner.score if confirmed and confirmed.winner else None,
        key=study.winner.key if study.winner else None,
        trials=study.ended,
        seconds=study.total_cost,
        duplicates=study.counts.get("reused", 0),
        failed=study.counts.get("failed", 0),
        strategy_seconds=study.strategy_seconds,
    )


def known(value: float) -> float | None:
    """The value, or None where there is none."""
    return value if math.isfinite(value) else None
