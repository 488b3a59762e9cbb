"""The whole comparison as records of numbers and words: what the page shows, and nothing the page
does not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nas.errors import counted
from nas.reports import checklist, curves, many_arms, sentences
from nas.reports.experiment import Experiment
from nas.reports.extras import INSTALL, is_there
from nas.reports.findings import Axis, Comparison, Findings, Goal, Honesty, Margin, Sampling
from nas.reports.one_arm import arm_row, described, known
from nas.reports.outcome import Outcome, outcome_of, outcomes, sampling, score_name
from nas.reports.several import objectives_of
from nas.reports.statistics import Judged, judged, paired, untested

FORMAT = 1
MARGIN_SHARE = 0.001  # a tenth of a percentage point, for accuracies as shares


def analysed(
    experiment: Experiment, margin: float | None = None, target: float | None = None
) -> Findings:
    """Compare all arms with random search.

    Args:
        margin: differences below this count as none; None: as stated before the comparison, else
            0.1 points.
        target: the score whose reaching is timed; None: the median of what random search ends with.
    """
    outcome = outcome_of(experiment)
    values = {arm.label: outcomes(arm, outcome) for arm in experiment.arms}
    task = experiment.task
    stated = _margin(experiment, margin, values)
    sampled = _sampling(experiment, outcome)
    comparisons = _comparisons(experiment, values, stated.value, outcome)
    axis: Axis = "cost" if all(frame.total_cost > 0 for frame in experiment.frames) else "trials"
    goal = _target(experiment, target)
    end = float(curves.grid(list(experiment.frames), axis)[-1:].sum())
    arms = [arm_row(arm, outcome, values, sampled, axis, goal, end) for arm in experiment.arms]
    honest = checklist.honesty(experiment)
    return Findings(
        verdict=sentences.verdict(
            comparisons,
            arms,
            experiment.baseline,
            stated,
            several=task.scales is not None,
            unfinished=_unfinished(honest),
        ),
        format=FORMAT,
        title=_title(experiment),
        task=task,
        outcome=outcome,
        score=score_name(task),
        margin=stated,
        baseline=experiment.baseline,
        sampling=sampled,
        target=goal,
        arms=arms,
        comparisons=comparisons,
        curves=many_arms.incumbents(experiment, outcome),
        tops=many_arms.tops(experiment),
        distributions=many_arms.distributions(experiment),
        fronts=many_arms.fronts(experiment),
        judged_often=many_arms.judged_often(experiment),
        objectives=objectives_of(experiment),
        controllers=many_arms.controllers(experiment),
        honesty=honest,
        checklist=checklist.checklist(experiment, outcome),
    )


def _unfinished(known: Honesty) -> str:
    """How far the comparison is; nothing at its end."""
    begun = sum(map(len, known.seeds.values()))
    left, absent = (sum(map(len, seeds.values())) for seeds in (known.unfinished, known.not_run))
    if not left + absent:
        return ""
    return f"unfinished, {begun - left} of {counted(begun + absent, 'study')} done"


# ------------------------------------------------------------------ who is better


def _comparisons(
    experiment: Experiment,
    values: Mapping[str, Mapping[int, float]],
    margin: float,
    outcome: Outcome,
) -> list[Comparison]:
    baseline = experiment.baseline
    others = [arm.label for arm in experiment.arms if arm.label != baseline]
    if baseline is None or not others:
        return []
    pairs = [_differences(values[label], values[baseline]) for label in others]
    if is_there("scipy"):
        verdicts = judged([paired(differences, margin) for _, differences in pairs], margin)
    else:
        verdicts = [untested(differences) for _, differences in pairs]
    rows = zip(others, pairs, verdicts, strict=True)
    return [
        _comparison(
            label,
            baseline,
            seeds,
            each,
            margin,
            outcome,
            _nothing_to_compare(experiment, label, seeds),
        )
        for label, (seeds, _), each in rows
    ]


def _nothing_to_compare(experiment: Experiment, label: str, seeds: Sequence[int]) -> str | None:
    """Why no number of this arm says anything against the baseline."""
    ours, theirs = (
        next(arm for arm in experiment.arms if arm.label == name)
        for name in (label, experiment.baseline)
    )
    if not is_there("scipy"):
        return f"its tests need scipy, which is not installed ({INSTALL})"
    if not seeds:
        failed = {
            arm.label: sum(study.counts.get("failed", 0) for study in arm.studies.values())
            for arm in (ours, theirs)
        }
        told = ", ".join(
            f"{count:,} trials of {name} failed" for name, count in failed.items() if count
        )
        return "no seed has a winner in both arms" + (f" ({told})" if told else "")
    if all(ours.studies[seed].proposals == theirs.studies[seed].proposals for seed in seeds):
        return (
            f"in every study it proposed exactly what {theirs.label} did: give it more trials, "
            "or let it learn sooner"
        )
    return None


def _differences(
    ours: Mapping[int, float], theirs: Mapping[int, float]
) -> tuple[list[int], list[float]]:
    seeds = sorted(ours.keys() & theirs.keys())
    return seeds, [ours[seed] - theirs[seed] for seed in seeds]


def _comparison(
    label: str,
    baseline: str,
    seeds: Sequence[int],
    each: Judged,
    margin: float,
    outcome: Outcome,
    nothing: str | None,
) -> Comparison:
    pair = each.paired
    row = Comparison(
        arm=label,
        baseline=baseline,
        verdict=each.verdict if nothing is None else "not compared",
        reason=nothing,
        negligible=each.negligible,
        more_seeds=each.more_seeds if nothing is None else None,
        seeds=pair.seeds,
        paired_seeds=seeds,
        mean_difference=known(pair.mean),
        sd_of_differences=known(pair.sd),
        interval=pair.interval,
        interval_kind=pair.interval_kind,
        t_interval=pair.t_interval,
        bootstrap_interval=pair.bootstrap_interval,
        effect_size=pair.effect,
        superiority=known(pair.superiority),
        superiority_interval=pair.superiority_interval,
        p=each.p,
        p_wilcoxon=each.p_wilcoxon,
        p_equivalence=each.p_equivalence,
        sentence="",
    )
    return replace(row, sentence=sentences.sentence(row, outcome, margin))


# ------------------------------------------------------------------ many arms together


def _margin(
    experiment: Experiment, margin: float | None, values: Mapping[str, Mapping[int, float]]
) -> Margin:
    planned = experiment.plan.margin if experiment.plan else None
    if margin is not None and margin != planned:
        return Margin(margin, "with this report, after the studies were run")
    if planned is not None:
        return Margin(planned, "before the first trial")
    if experiment.task.scales is not None:
        return Margin(MARGIN_SHARE, "by default: a thousandth of what the scales enclose")
    every = [abs(value) for seeds in values.values() for value in seeds.values()]
    percent = bool(every) and float(np.median(every)) > 1.5
    value = MARGIN_SHARE * (100 if percent else 1)
    return Margin(value, "by default: a tenth of a percentage point")


def _sampling(experiment: Experiment, outcome: Outcome) -> Sampling | None:
    """What an average cell scores, from the draws of random search."""
    arm = next((arm for arm in experiment.arms if arm.label == experiment.baseline), None)
    if arm is None or experiment.task.scales is not None or experiment.two_judges:
        return None  # a front of one draw says nothing of a search, nor another judge's score
    pairs = {seed: sampling(study, outcome) for seed, study in arm.finished.items() if study.bests}
    if not pairs:
        return None
    scores = {seed: score for seed, (score, _) in pairs.items()}
    chosen = scores
    if outcome.kind == "final":
        chosen = {seed: final for seed, (_, final) in pairs.items()}
        if any(map(math.isnan, chosen.values())):
            # trained draws were judged only where they won, so those that were are no fair sample
            chosen = {}
    return Sampling(
        score=described(np.array(list(scores.values()))),
        scores=scores,
        outcome=described(np.array(list(chosen.values()))),
        outcomes=chosen,
    )


def _target(experiment: Experiment, target: float | None) -> Goal | None:
    if target is not None:
        return Goal(target, "given")
    arm = next((arm for arm in experiment.arms if arm.label == experiment.baseline), None)
    ends = [study.winner.score for study in arm.finished.values() if study.winner] if arm else []
    if not ends:
        return None
    # A value that was reached, not one between two, so that rounding does not decide.
    middle = float(np.quantile(ends, 0.5, method="lower"))
    return Goal(middle, "the median of what random search ended with")


def _title(experiment: Experiment) -> str:
    others = [arm.label for arm in experiment.arms if arm.label != experiment.baseline]
    if experiment.baseline is None or not others:
        return ", ".join(arm.label for arm in experiment.arms)
    return f"{', '.join(others)} against {experiment.baseline}"
