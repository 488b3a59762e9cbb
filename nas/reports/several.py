"""Several objectives in a report: what the fronts of each arm attain, and the front of all
studies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.reports import curves
from nas.reports.experiment import Arm, Experiment
from nas.reports.findings import Attainment, FrontMember, Fronts, Surface
from nas.reports.frame import Floats, Frame, FrontTrial
from nas.study.front import Front, knee
from search_spaces.cells.genotype import Genotype

_PLACES = 200


def objectives_of(experiment: Experiment) -> Fronts | None:
    """What fronts come to; None where there is one score, or nothing to measure fronts by."""
    task = experiment.task
    if task.scales is None:
        return None
    union = _union(experiment)
    return Fronts(
        formulas=task.objectives,
        scales=[(worst, best) for worst, best in task.scales],
        attained=[
            _attained(experiment, formula, place)
            for place, formula in enumerate(task.objectives)
            if place
        ],
        union=union,
        shown=_shown(task.objectives, [member.point for member in union]),
    )


# ------------------------------------------------------------------ what fronts attain


def _attained(experiment: Experiment, formula: str, place: int) -> Attainment:
    """The surfaces of all arms, over the same places."""
    values = [trial.point[place] for frame in experiment.frames for trial in frame.front]
    ends = (min(values), max(values)) if values else (0.0, 0.0)
    where = np.linspace(*ends, _PLACES)
    surfaces = {arm.label: _surface(arm, place, where) for arm in experiment.arms}
    return Attainment(formula, curves.rounded(where), surfaces)


def _surface(arm: Arm, place: int, where: Floats) -> Surface:
    """Of so many fronts, a height that this share of them reach, never one between two."""
    fronts = [_best_beyond(study, place, where) for study in arm.finished.values()]
    if not fronts:
        nothing = [None] * len(where)
        return Surface(nothing, nothing, nothing)
    ordered = np.sort(np.array(fronts), axis=0)[::-1]
    rows = (ordered[_row(share, len(fronts))] for share in (0.25, 0.5, 0.75))
    return Surface(*(curves.rounded(row) for row in rows))


def _row(share: float, fronts: int) -> int:
    return int(np.ceil(share * fronts)) - 1


def _best_beyond(study: Frame, place: int, where: Floats) -> Floats:
    """The best first objective of trials whose other one is at least so good; minus infinity where
    there is none."""
    found = np.full(len(where), -np.inf)
    for trial in study.front:
        reached = where <= trial.point[place]
        found[reached] = np.maximum(found[reached], trial.point[0])
    return found


# ------------------------------------------------------------------ the front of all studies


def _union(experiment: Experiment) -> list[FrontMember]:
    front: Front[tuple[str, Frame, FrontTrial]] = Front()
    for arm in experiment.arms:
        for study in arm.studies.values():
            for trial in study.front:
                front.offer(trial.point, (arm.label, study, trial))
    ordered = sorted(front.members, key=lambda member: -member[0][0])
    return [_member(*owner) for _, owner in ordered]


def _member(arm: str, study: Frame, trial: FrontTrial) -> FrontMember:
    metrics = {name: value for name, value in trial.metrics.items() if _is_number(value)}
    return FrontMember(
        arm=arm,
        seed=study.seed,
        folder=str(study.folder),
        number=trial.number,
        key=Genotype.from_dict(trial.genotype).key,
        point=trial.point,
        metrics=metrics,
        final=trial.final,
        genotype=trial.genotype,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(formulas: Sequence[str], points: Sequence[Sequence[float]]) -> dict[str, int]:
    """The ends of the front by its first two objectives, and between them the knee."""
    if not points:
        return {}
    first, second = (_highest(points, place) for place in (0, 1))
    middle = knee([tuple(point) for point in points])
    return {
        f"best {formulas[0]}": first,
        "the knee": middle,
        f"best {formulas[1]}": second,
    }


def _highest(points: Sequence[Sequence[float]], place: int) -> int:
    return max(range(len(points)), key=lambda index: points[index][place])
