"""Whatever an evaluator does becomes an evaluation, an early stop or a typed failure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nas.contracts import Evaluation, Evaluator, Failure, Outcome, Report, Stopped, Trial
from nas.errors import NasError, NetworkError, SettingsError, SpaceError
from nas.study.attempt import attempt, never_stop, plain
from parts.studies import TINY, A


class Does(Evaluator):
    """Does what it is given."""

    def __init__(self, act: Callable[[Report], Any]) -> None:
        super().__init__(TINY)
        self.act = act

    def evaluate(self, genotype: Any, *, seed: int, workdir: Path, report: Report) -> Any:
        return self.act(report)


def outcome(folder: Path, act: Callable[[Report], Any], report: Report = never_stop) -> Outcome:
    return attempt(Does(act), Trial(0, A, 1), folder / "work", report)


def failing(problem: BaseException) -> Callable[[Report], Any]:
    def act(report: Report) -> Any:
        raise problem

    return act


def test_an_evaluation_comes_back_plain(tmp_path: Path) -> None:
    metrics = {
        "a": np.float32(0.5),
        "b": torch.tensor(2),
        "c": math.nan,
        "d": [np.int64(3), None],
        "e": Path("x"),
    }
    found = outcome(tmp_path, lambda report: Evaluation(np.float64(0.25), metrics, 3))
    assert found == Evaluation(0.25, {"a": 0.5, "b": 2, "c": None, "d": [3, None], "e": "x"}, 3.0)
    assert isinstance(found, Evaluation)
    assert json.loads(json.dumps(found.metrics, allow_nan=False)) == found.metrics


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_has_diverged(tmp_path: Path, score: float) -> None:
    found = outcome(tmp_path, lambda report: Evaluation(score, {}, 2.0))
    assert found == Failure("diverged", f"the score is {score}", 2.0)


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1.0])
def test_a_cost_that_is_no_cost_is_an_error(tmp_path: Path, seconds: float) -> None:
    found = outcome(tmp_path, lambda report: Evaluation(0.5, {}, seconds))
    assert found == Failure("error", f"the evaluator says it took {seconds} seconds")


@pytest.mark.parametrize(
    "nonsense", [None, 0.5, "good", Evaluation("high", {}, 0.0), Evaluation(0.5, None, 0.0)]
)  # type: ignore[arg-type]
def test_what_is_no_evaluation_is_an_error_or_plain(tmp_path: Path, nonsense: Any) -> None:
    found = outcome(tmp_path, lambda report: nonsense)
    assert isinstance(found, Failure) or found == Evaluation(0.5, None, 0.0)  # type: ignore[arg-type]


class Stated(Exception):
    failure_kind = "diverged"


class Misstated(Exception):
    failure_kind = "bad luck"


class OutOfMemoryError(Exception):
    """Called like the one of torch."""


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (ValueError("no"), "error"),
        (MemoryError(), "out_of_memory"),
        (OutOfMemoryError("full"), "out_of_memory"),
        (RuntimeError("CUDA error: out of memory"), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried"), "out_of_memory"),
        (ValueError("out of memory"), "error"),
        (RuntimeError("shape mismatch"), "error"),
        (Stated("loss is nan"), "diverged"),
        (Misstated("!"), "error"),
        (RecursionError("deep"), "error"),
        (NetworkError("too deep"), "error"),
        (SpaceError("stranger"), "error"),
    ],
)
def test_an_exception_becomes_a_typed_failure(
    tmp_path: Path, problem: Exception, kind: str
) -> None:
    found = outcome(tmp_path, failing(problem))
    assert isinstance(found, Failure)
    assert found.kind == kind
    assert found.seconds >= 0
    assert str(problem) in found.message


def test_the_traceback_comes_along_and_has_an_end(tmp_path: Path) -> None:
    found = outcome(tmp_path, failing(ValueError("first\n" + "x" * 100_000)))
    assert isinstance(found, Failure)
    assert found.message.splitlines()[0] == "ValueError: first"
    assert len(found.message) < 5_000


@pytest.mark.parametrize(
    "problem",
    [NasError("no such file"), SettingsError("wrong"), KeyboardInterrupt()],
)
def test_what_the_user_must_mend_is_raised(tmp_path: Path, problem: BaseException) -> None:
    with pytest.raises(type(problem)):
        outcome(tmp_path, failing(problem))


def test_a_child_that_leaves_the_process_is_a_failure(tmp_path: Path) -> None:
    found = outcome(tmp_path, failing(SystemExit(1)))
    assert isinstance(found, Failure)
    assert (found.kind, found.message.splitlines()[0]) == ("error", "SystemExit: 1")


def test_a_trial_that_is_told_to_stop(tmp_path: Path) -> None:
    def act(report: Report) -> Evaluation:
        step = 1
        while report(step, {"score": step / 10}):
            step += 1
        return Evaluation(99.0, {"step": step}, 1.5)

    assert outcome(tmp_path, act, lambda step, metrics: step < 3) == Stopped(
        3, 0.3, {"step": 3}, 1.5
    )


def test_reports_are_plain_too(tmp_path: Path) -> None:
    seen: list[Any] = []

    def act(report: Report) -> Evaluation:
        report(1, {"loss": np.float64("inf"), "accuracy": torch.tensor(0.5)})
        return Evaluation(1.0)

    outcome(tmp_path, act, lambda step, metrics: not seen.append(metrics))
    assert seen == [{"loss": None, "accuracy": 0.5}]


def test_a_costly_evaluator_finds_its_workdir_and_a_cheap_one_makes_none(tmp_path: Path) -> None:
    judge = Does(lambda report: Evaluation(1.0))
    attempt(judge, Trial(0, A, 1), tmp_path / "costly", never_stop)
    judge.cheap = True
    attempt(judge, Trial(0, A, 1), tmp_path / "cheap", never_stop)
    assert [path.name for path in tmp_path.iterdir()] == ["costly"]


def test_plain_survives_anything() -> None:
    assert plain({1: {2.5}, "x": object}) == {"1": "{2.5}", "x": str(object)}
