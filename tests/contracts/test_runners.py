"""What every runner promises, over whatever runners there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nas.contracts import Runner
from nas.errors import SettingsError
from nas.registry import load, names
from nas.seeding import derive
from nas.study.rules import Budget, Rules
from nas.study.study import Study
from parts.judges import SlowToStart, Worker
from parts.studies import lines, story

TESTS = str(Path(__file__).parent.parent)
SPACE = load("space", "nasbench201")()
WAYS: dict[str, list[dict[str, Any]]] = {"local": [{}, {"workers": 2}, {"trial_timeout": 300.0}]}


def ways() -> Iterator[Any]:
    """Every runner in every way it runs."""
    for name in names("runner"):
        for options in WAYS.get(name, [{}]):
            words = ", ".join(f"{option}={value}" for option, value in options.items())
            marks = [pytest.mark.ray] if name.startswith("ray") else []
            yield pytest.param((name, options), id=f"{name}({words})", marks=marks)


@pytest.fixture(scope="module")
def one_ray() -> Iterator[None]:
    """A Ray for all tests here: to start one takes longer than most studies."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", TESTS)
        patch.setenv("RAY_worker_niceness", "0")  # else they starve where other work goes on
        ray.init(
            "local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
        )
        yield
        ray.shutdown()


@pytest.fixture(params=ways())
def runner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Runner:
    name, options = request.param
    monkeypatch.setenv("PYTHONPATH", TESTS)  # workers import the evaluator too
    if name.startswith("ray"):
        request.getfixturevalue("one_ray")
    made: Runner = load("runner", name)(**options)
    return made


def opened(folder: Path, trials: int = 6, **rules: Any) -> Study:
    strategy = load("strategy", "random-search")(SPACE, 0)
    return Study(folder, strategy, seed=5, rules=Rules(**rules), budget=Budget(trials=trials))


def seeds_where(remainder: int, trials: int) -> set[int]:
    return {number for number in range(trials) if derive(5, "trial", number) % 3 == remainder}


def test_every_trial_is_run_and_ends_once(tmp_path: Path, runner: Runner) -> None:
    with opened(tmp_path) as study:
        runner.run(study, Worker(SPACE))
        assert study.finish() == "all 6 trials are done"
        assert study.ledger.counts["evaluated"] == 6
        assert study.ledger.cost == 3.0
    assert len(story(lines(tmp_path))) == 6
    for event in lines(tmp_path):
        if event["event"] == "told":
            assert event["score"] == derive(5, "trial", event["number"]) % 1000 / 1000


def test_steps_are_written_down_in_order(tmp_path: Path, runner: Runner) -> None:
    with opened(tmp_path, trials=3) as study:
        runner.run(study, Worker(SPACE))
    for number in range(3):
        of_trial = [event for event in lines(tmp_path) if event.get("number") == number]
        steps = [event["step"] for event in of_trial if event["event"] == "progressed"]
        assert steps == [1, 2]
        assert of_trial[-1]["event"] == "told"


def test_kept_files_travel_back(tmp_path: Path, runner: Runner) -> None:
    with opened(tmp_path, keep=2) as study:
        runner.run(study, Worker(SPACE))
        best = [number for _, number in study.ledger.top]
    kept = {path.name: (path / "seed").read_text() for path in (tmp_path / "checkpoints").iterdir()}
    assert kept == {str(number): str(derive(5, "trial", number)) for number in best}


def test_a_failure_is_tried_again_and_recorded(tmp_path: Path, runner: Runner) -> None:
    with opened(tmp_path) as study:
        runner.run(study, Worker(SPACE, {1: "raise"}))
        assert study.ledger.counts["failed"] == len(seeds_where(1, 6)) > 0
        assert study.ledger.counts["retried"] == study.ledger.counts["failed"]
    failures = [event for event in lines(tmp_path) if event["event"] == "failed"]
    assert {event["number"] for event in failures} == seeds_where(1, 6)
    assert all(event["kind"] == "error" for event in failures)
    assert all(
        event["message"].startswith("ValueError: this seed does not work\n") for event in failures
    )


def test_open_trials_run_again_first(tmp_path: Path, runner: Runner) -> None:
    with opened(tmp_path) as study:
        assert study.ask() is not None
    with opened(tmp_path) as study:
        runner.run(study, Worker(SPACE))
    attempts = Counter(
        event["number"] for event in lines(tmp_path) if event["event"] == "attempted"
    )
    assert attempts == {0: 2, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1}


def test_a_trial_begins_once_also_where_a_worker_is_slow_to_start(
    tmp_path: Path, runner: Runner
) -> None:
    with opened(tmp_path, trials=2) as study:
        runner.run(study, SlowToStart(SPACE, tmp_path))
    begun = (tmp_path / "begun").read_text().split()
    assert sorted(begun) == sorted(str(derive(5, "trial", number)) for number in range(2))


def test_a_study_that_is_stopped_finishes_what_runs(tmp_path: Path, runner: Runner) -> None:
    with opened(tmp_path, trials=50) as study:
        study._watch = lambda event: study.stop() if event["event"] == "told" else None
        runner.run(study, Worker(SPACE))
        assert study.finish() is None
        assert study.ledger.open == {}
        assert 1 <= study.ledger.counts["evaluated"] < 50


def test_what_the_user_must_mend_reaches_the_caller(tmp_path: Path, runner: Runner) -> None:
    with (
        opened(tmp_path) as study,
        pytest.raises(SettingsError, match="there is no such file: give another"),
    ):
        runner.run(study, Worker(SPACE, {1: "refuse"}))
    with opened(tmp_path) as study:
        runner.run(study, Worker(SPACE))
        assert study.ledger.counts["evaluated"] == 6


def test_a_finished_study_is_left_alone(tmp_path: Path, runner: Runner) -> None:
    with opened(tmp_path, trials=2) as study:
        runner.run(study, Worker(SPACE))
        study.finish()
    before = (tmp_path / "events.jsonl").read_bytes()
    with opened(tmp_path, trials=2) as study:
        runner.run(study, Worker(SPACE))
    assert (tmp_path / "events.jsonl").read_bytes() == before
