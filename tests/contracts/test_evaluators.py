"""Every evaluator file keeps the contract: one answer to one question, in JSON, and nothing left
lying about."""

import itertools
import json
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nas import registry
from nas.contracts import Evaluation, Evaluator
from search_spaces.cells.space import SearchSpace

SPACE = "ladder"
CLOCK = ("seconds", "per_second", "memory")  # what measures the machine may differ between two runs


Options = Callable[[SearchSpace, Path], dict[str, object]]


def small_landscape(space, folder):
    return {"epochs": 3}


def small_table(space, folder):
    rows = [
        f"{row},{row / 2},{row / 4},{space.decode(choices).key}\n"
        for row, choices in enumerate(itertools.product(*map(range, space.counts)))
    ]
    by_key = {row.rsplit(",", 1)[1]: row for row in rows}
    path = folder / "table.csv"
    path.write_text("score,cost,final,key\n" + "".join(by_key.values()))
    return {"table": str(path)}


def small_train(space, folder):
    options = {
        "recipe": {"epochs": 2, "train_images": 64, "batch_size": 32},
        "skeleton": {"filters": 2},
    }
    return {
        **options,
        "dataset": "digits",
        "device": "cpu",
        "precision": "fp32",
        "layout": "channels-last",
    }


SMALL: dict[
    str, Options
] = {  # the options that make each evaluator quick; a new evaluator adds its line
    "landscape": small_landscape,
    "table": small_table,
    "train": small_train,
}


@dataclass
class Recorder:
    """A report that remembers what it was told, and says stop at a step."""

    stop_at: int | None = None
    told: list = field(default_factory=list)

    def __call__(self, step, metrics):
        self.told.append((step, json.loads(json.dumps(dict(metrics), allow_nan=False))))
        return self.stop_at is None or step < self.stop_at


@pytest.fixture(scope="module")
def space():
    return registry.load("space", SPACE)()


@pytest.fixture(params=registry.names("evaluator"))
def evaluator(request, space, tmp_path):
    if request.param not in SMALL:
        pytest.fail(f"add the options of a quick {request.param!r} to SMALL in {__file__}")
    folder = tmp_path / "given"
    folder.mkdir()
    return registry.load("evaluator", request.param)(space, **SMALL[request.param](space, folder))


@pytest.fixture
def genotype(space):
    return space.decode([count - 1 for count in space.counts])


def judged(evaluator, genotype, workdir, report=None, seed=11):
    workdir.mkdir(exist_ok=True)
    return evaluator.evaluate(genotype, seed=seed, workdir=workdir, report=report or Recorder())


def test_is_an_evaluator_that_knows_its_space(evaluator, space):
    assert isinstance(evaluator, Evaluator)
    assert evaluator.space is space
    assert isinstance(evaluator.cheap, bool)


def test_scores_are_finite_costs_positive_and_metrics_json(evaluator, genotype, tmp_path):
    evaluation = judged(evaluator, genotype, tmp_path / "work")
    assert type(evaluation) is Evaluation
    assert type(evaluation.score) is float
    assert math.isfinite(evaluation.score)
    assert math.isfinite(evaluation.seconds)
    assert evaluation.seconds >= 0
    assert json.loads(json.dumps(dict(evaluation.metrics), allow_nan=False)) == evaluation.metrics


def test_genotype_and_seed_fix_score_metrics_and_reports(evaluator, genotype, space, tmp_path):
    reports = [Recorder(), Recorder()]
    first = judged(evaluator, genotype, tmp_path / "one", reports[0])
    judged(evaluator, space.decode([0] * len(space.counts)), tmp_path / "other", seed=12)
    again = judged(evaluator, genotype, tmp_path / "two", reports[1])
    assert again.score == first.score
    assert without_clock(again.metrics) == without_clock(first.metrics)
    curves = [
        [(step, without_clock(metrics)) for step, metrics in report.told] for report in reports
    ]
    assert curves[0] == curves[1]


def without_clock(metrics):
    return {
        name: value for name, value in metrics.items() if not any(unit in name for unit in CLOCK)
    }


def test_a_pickled_evaluator_judges_alike(evaluator, genotype, tmp_path):
    copy = pickle.loads(pickle.dumps(evaluator))
    judged(evaluator, genotype, tmp_path / "one")
    later = pickle.loads(pickle.dumps(evaluator))
    scores = {judged(one, genotype, tmp_path / "two").score for one in (evaluator, copy, later)}
    assert len(scores) == 1


def test_steps_rise_and_a_refused_report_is_the_last(evaluator, genotype, tmp_path):
    whole = Recorder()
    judged(evaluator, genotype, tmp_path / "one", whole)
    steps = [step for step, _ in whole.told]
    assert steps == sorted(set(steps))
    if steps:
        stopped = Recorder(stop_at=steps[0])
        assert math.isfinite(judged(evaluator, genotype, tmp_path / "two", stopped).score)
        assert [step for step, _ in stopped.told] == steps[:1]
        assert all(math.isfinite(metrics["score"]) for _, metrics in whole.told)


def test_writes_only_below_its_workdir(evaluator, genotype, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", str(elsewhere))
    before = content(tmp_path)
    judged(evaluator, genotype, tmp_path / "work")
    evaluator.final(genotype)
    after = {
        path: text
        for path, text in content(tmp_path).items()
        if (tmp_path / "work") not in [path, *path.parents]
    }
    assert after == before


def content(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def test_finals_are_finite_and_named(evaluator, genotype):
    assert all(
        isinstance(name, str) and math.isfinite(value)
        for name, value in evaluator.final(genotype).items()
    )


def test_what_is_measured_is_json_and_stays(evaluator, genotype, tmp_path):
    measured = evaluator.measured()
    assert json.loads(json.dumps(dict(measured), allow_nan=False)) == measured
    judged(evaluator, genotype, tmp_path / "work")
    assert evaluator.measured() == measured
