"""What every evaluator promises: one answer to one question, in JSON, and nothing left lying
about."""

from __future__ import annotations

import inspect
import json
import math
import os
import pickle
from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nas.contracts import Evaluation, Evaluator, Json
from nas.registry import load
from nas.testing.promises import Promise, keep_all, maker_of, part_of
from search_spaces.cells.decided_settings import TABLES, DecidedSettings
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

Make = Callable[[], Evaluator]
_CLOCK = ("seconds", "per_second", "memory")  # what may differ between two runs of one machine


def check_evaluator(part: Any, *, space: SearchSpace | None = None, **options: Any) -> None:
    """Try every promise of an evaluator.

    Args:
        part: its class, or its name as on the command line.
        space: what it judges; the ladder where nothing is said.
        options: what its constructor is given; choose them so that it is quick.
    """
    judged = load("space", "ladder")() if space is None else space
    evaluator = part_of("evaluator", part)
    make = evaluator_maker(evaluator, judged, **options)
    keep_all(EVALUATOR_PROMISES, (make, judged), with_folder=True)


def evaluator_maker(part: Callable[..., Evaluator], space: SearchSpace, **options: Any) -> Make:
    """Makes the evaluator anew; one that looks at genotypes alone takes no space."""
    given = (space,) if "space" in inspect.signature(part).parameters else ()
    return maker_of("evaluator", part, *given, **options)


@dataclass(slots=True)
class Recorder:
    """A report that remembers what it was told, and says stop at a step."""

    stop_at: int | None = None
    told: list[tuple[int, Mapping[str, Json]]] = field(default_factory=list)

    def __call__(self, step: int, metrics: Mapping[str, Json]) -> bool:
        self.told.append((step, json.loads(json.dumps(dict(metrics), allow_nan=False))))
        return self.stop_at is None or step < self.stop_at


Judged = tuple[Make, SearchSpace]


def answers_in_json(judged: Judged, folder: Path) -> None:
    """The score is a finite float, the seconds are not negative, the metrics are JSON."""
    make, space = judged
    evaluation = _judge(make(), _last(space), folder / "work")
    assert type(evaluation) is Evaluation, f"it returned {type(evaluation).__name__}"
    assert type(evaluation.score) is float, f"the score is a {type(evaluation.score).__name__}"
    assert math.isfinite(evaluation.score), evaluation.score
    assert math.isfinite(evaluation.seconds), evaluation.seconds
    assert evaluation.seconds >= 0
    again = json.loads(json.dumps(dict(evaluation.metrics), allow_nan=False))
    assert again == evaluation.metrics, "its metrics are not the same when they are read back"


def answers_alike(judged: Judged, folder: Path) -> None:
    """Genotype and seed fix score, metrics and reports, whatever was judged between."""
    make, space = judged
    evaluator, reports = make(), [Recorder(), Recorder()]
    first = _judge(evaluator, _last(space), folder / "one", reports[0])
    _judge(evaluator, space.decode([0] * len(space.counts)), folder / "other", seed=12)
    again = _judge(evaluator, _last(space), folder / "two", reports[1])
    assert again.score == first.score, f"{first.score}, then {again.score}"
    assert _without_clock(again.metrics) == _without_clock(first.metrics)
    curves = [[(s, _without_clock(metrics)) for s, metrics in report.told] for report in reports]
    assert curves[0] == curves[1], "it reported something else the second time"


def travels_to_workers(judged: Judged, folder: Path) -> None:
    """It can be pickled, before and after it has judged, and judges alike."""
    make, space = judged
    evaluator = make()
    copy = pickle.loads(pickle.dumps(evaluator))
    _judge(evaluator, _last(space), folder / "one")
    later = pickle.loads(pickle.dumps(evaluator))
    scores = {_judge(each, _last(space), folder / "two").score for each in (evaluator, copy, later)}
    assert len(scores) == 1, scores


def stops_when_told(judged: Judged, folder: Path) -> None:
    """Steps rise, each has a finite score, and a report that answers False is the last."""
    make, space = judged
    whole = Recorder()
    _judge(make(), _last(space), folder / "one", whole)
    steps = [step for step, _ in whole.told]
    assert steps == sorted(set(steps)), steps
    if steps:
        stopped = Recorder(stop_at=steps[0])
        assert math.isfinite(_judge(make(), _last(space), folder / "two", stopped).score)
        assert [step for step, _ in stopped.told] == steps[:1], "it went on"
        assert all(math.isfinite(metrics["score"]) for _, metrics in whole.told)


def writes_below_its_workdir(judged: Judged, folder: Path) -> None:
    """It writes below its workdir and nowhere else."""
    make, space = judged
    evaluator, elsewhere = make(), folder / "elsewhere"
    elsewhere.mkdir()
    home = os.environ.get("HOME", "")
    os.environ["HOME"] = str(elsewhere)
    try:
        with chdir(elsewhere):
            _judge(evaluator, _last(space), folder / "work")
            evaluator.final(_last(space))
    finally:
        os.environ["HOME"] = home
    left = list(elsewhere.rglob("*"))
    left += [path for path in folder.iterdir() if path.name not in ("work", "elsewhere")]
    assert not left, f"it left {left[0]}"


def finals_are_finite(judged: Judged, folder: Path) -> None:
    """What a winner is judged by has names and finite numbers."""
    del folder
    make, space = judged
    for name, value in make().final(_last(space)).items():
        assert isinstance(name, str)
        assert math.isfinite(value), f"{name} is {value}"


def measures_once(judged: Judged, folder: Path) -> None:
    """What it measured before the first trial is JSON, and stays."""
    make, space = judged
    evaluator = make()
    measured = evaluator.measured()
    assert json.loads(json.dumps(dict(measured), allow_nan=False)) == measured
    _judge(evaluator, _last(space), folder / "work")
    assert evaluator.measured() == measured
    assert isinstance(evaluator.cheap, bool)


def heeds_what_it_says(judged: Judged, folder: Path) -> None:
    """What it heeds of genotypes is the skeleton, the recipe, both or nothing; where its space
    decides some of them, they make a difference to what it knows of costs."""
    make, space = judged
    evaluator = make()
    assert set(evaluator.heeds) <= set(TABLES), f"heeds {evaluator.heeds}"
    if not isinstance(space, DecidedSettings) or "skeleton" not in evaluator.heeds:
        return
    del folder
    genotype, widths = _last(space), space.settings.get("skeleton.filters", ())
    costs = [
        evaluator.costs(replace(genotype, settings={**genotype.settings, "skeleton.filters": wide}))
        for wide in widths
    ]
    assert not any(costs) or len({each["params"] for each in costs}) == len(widths), costs


def _judge(
    evaluator: Evaluator,
    genotype: Genotype,
    workdir: Path,
    report: Recorder | None = None,
    seed: int = 11,
) -> Evaluation:
    workdir.mkdir(exist_ok=True)
    return evaluator.evaluate(genotype, seed=seed, workdir=workdir, report=report or Recorder())


def _last(space: SearchSpace) -> Genotype:
    return space.decode([count - 1 for count in space.counts])


def _without_clock(metrics: Mapping[str, Json]) -> dict[str, Json]:
    return {
        name: value for name, value in metrics.items() if not any(unit in name for unit in _CLOCK)
    }


EVALUATOR_PROMISES: tuple[Promise, ...] = (
    answers_in_json,
    answers_alike,
    travels_to_workers,
    stops_when_told,
    writes_below_its_workdir,
    finals_are_finite,
    measures_once,
    heeds_what_it_says,
)
