"""Worker processes die, hang, cannot start or outlive their driver: the study goes on or says why
not."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from nas.contracts import Evaluator
from nas.errors import SettingsError, StudyError
from nas.registry import load
from nas.study import Budget, Rules
from nas.study.study import Study
from nas.testing.runner_promises import ScriptedEvaluator as Worker
from parts.command_line import SMALL, started
from parts.judges import Impatient, OnGpu, Unloadable, Unsendable
from parts.studies import lines, story
from runners._process import WorkerProcess
from runners.local import Local

SPACE = load("space", "nasbench201")()


def opened(folder: Path, trials: int = 6, **rules: Any) -> Study:
    strategy = load("strategy", "random-search")(SPACE, 0)
    return Study(folder, strategy, seed=5, rules=Rules(**rules), budget=Budget(trials=trials))


def failures(folder: Path) -> set[tuple[str, str]]:
    return {
        (event["kind"], event["message"]) for event in lines(folder) if event["event"] == "failed"
    }


@pytest.mark.parametrize(
    ("act", "message"),
    [
        ("die", "the worker process ended by signal 9"),
        ("exit", "the worker process ended with exit code 5"),
    ],
)
def test_a_worker_that_dies_is_replaced(tmp_path: Path, act: str, message: str) -> None:
    with opened(tmp_path, retries=0) as study:
        Local(workers=2).run(study, Worker(SPACE, {1: act}))
        assert study.ledger.counts["evaluated"] + study.ledger.counts["failed"] == 6
    assert failures(tmp_path) == {("worker_lost", message)}


@pytest.mark.parametrize("act", ["leave", "interrupt", "raise"])
def test_what_a_child_raises_is_a_failure_and_the_next_gets_another_process(
    tmp_path: Path, act: str
) -> None:
    """SystemExit and KeyboardInterrupt of a child are no end of the search."""
    with opened(tmp_path, retries=0) as study:
        Local(workers=1, trial_timeout=600.0).run(study, Worker(SPACE, {1: act}))
    kinds = {"leave": "SystemExit", "interrupt": "KeyboardInterrupt", "raise": "ValueError"}
    assert {(kind, text.split(":")[0]) for kind, text in failures(tmp_path)} == {
        ("error", kinds[act])
    }

    processes: list[set[int]] = [set()]  # of the trials up to each failure
    for event in lines(tmp_path):
        if event["event"] == "told":
            processes[-1].add(event["metrics"]["process"])
        elif event["event"] == "failed":
            processes.append(set())
    between = [group for group in processes if group]
    assert len(between) > 1
    assert len(set.union(*between)) == len(between), "each failure is followed by another process"


def test_a_child_that_leaves_ends_no_search_in_its_own_process(tmp_path: Path) -> None:
    with opened(tmp_path, retries=0) as study:
        Local().run(study, Worker(SPACE, {1: "leave"}))
        assert study.ledger.counts["failed"] + study.ledger.counts["evaluated"] == 6
    assert {kind for kind, _ in failures(tmp_path)} == {"error"}


def test_a_trial_that_hangs_is_ended(tmp_path: Path) -> None:
    with opened(tmp_path, trials=4, retries=0) as study:
        Local(workers=2, trial_timeout=1.0).run(study, Worker(SPACE, {1: "hang"}))
    assert failures(tmp_path) == {("timeout", "no result within 1 s")}
    assert len(story(lines(tmp_path))) == 4
    assert all(1 <= e["seconds"] < 60 for e in lines(tmp_path) if e["event"] == "failed")


def test_a_process_that_is_alive_and_silent_is_noticed_without_a_timeout(tmp_path: Path) -> None:
    """A child that stops its own process, as a debugger or a full terminal would."""
    with opened(tmp_path, trials=4, retries=0) as study:
        Local(workers=2, silence=2.0).run(study, Worker(SPACE, {1: "stop"}))
    words = "the worker was alive and said nothing for 2 s"
    assert failures(tmp_path) == {("worker_lost", words)}
    assert len(story(lines(tmp_path))) == 4


def test_a_long_step_of_a_child_is_no_silence(tmp_path: Path) -> None:
    with opened(tmp_path, trials=2, retries=0) as study:
        Local(workers=2, silence=2.5).run(study, Worker(SPACE, seconds=7.0))
        assert study.ledger.counts["evaluated"] == 2


def test_a_driver_that_was_stopped_gives_up_no_worker(tmp_path: Path) -> None:
    words = ("search", *SMALL, "--workers", "2", "--set", "runner.silence=2.5", "--trials", "4")
    slow = ("--set", "evaluator.delay_seconds=2", "--set", "study.retries=0")
    driver = started(*words, *slow, "--out", tmp_path / "study")
    log = tmp_path / "study" / "events.jsonl"
    end = time.monotonic() + 60
    while not (log.exists() and b'"attempted"' in log.read_bytes()):
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(1.0)
    os.kill(driver.pid, signal.SIGSTOP)
    time.sleep(6.0)
    os.kill(driver.pid, signal.SIGCONT)
    out, error = driver.communicate(timeout=120)
    assert driver.returncode == 0, out + error
    assert {event["event"] for event in lines(tmp_path / "study")}.isdisjoint({"failed"})


def test_the_start_of_a_process_is_not_its_trials_time(tmp_path: Path) -> None:
    """Python and torch take seconds to import on a busy machine."""
    with opened(tmp_path, trials=1, retries=0) as study:
        Local(trial_timeout=0.2).run(study, Worker(SPACE))
        assert study.ledger.counts["evaluated"] == 1


def test_workers_are_processes_of_their_own(tmp_path: Path) -> None:
    with opened(tmp_path) as study:
        Local(workers=2).run(study, Worker(SPACE, seconds=0.2))
    told = [event["metrics"]["process"] for event in lines(tmp_path) if event["event"] == "told"]
    assert len(set(told)) == 2
    assert os.getpid() not in told
    with pytest.raises(ProcessLookupError):
        os.kill(told[0], 0)


@pytest.mark.parametrize(
    ("device", "seen"), [("cuda", {"3", "5"}), ("cuda:1", {"3,5"}), ("cpu", {"3,5"})]
)
def test_each_worker_sees_a_gpu_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, seen: set[str]
) -> None:
    """Spread over those this process sees, but for a device that was named or is none."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with opened(tmp_path, trials=8) as study:
        Local(workers=3).run(study, OnGpu(SPACE, device))
    told = [event["metrics"]["sees"] for event in lines(tmp_path) if event["event"] == "told"]
    assert set(told) <= seen
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3,5"


def test_the_next_process_takes_the_gpu_that_is_used_least(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three on two GPUs: two on the first, and one that is lost is replaced on its own."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    given: list[str | None] = []
    begin = WorkerProcess.__init__

    def remember(
        worker: WorkerProcess, evaluator: Evaluator, gpu: str | None = None, beat: float = 15.0
    ) -> None:
        given.append(gpu)
        begin(worker, evaluator, gpu, beat)

    monkeypatch.setattr(WorkerProcess, "__init__", remember)
    with opened(tmp_path, trials=6) as study:
        Local(workers=3).run(study, OnGpu(SPACE, "cuda"))
    assert given == ["3", "5", "3"]


def test_a_serial_run_needs_no_process(tmp_path: Path) -> None:
    with opened(tmp_path) as study:
        Local().run(study, Worker(SPACE))
    assert {
        event["metrics"]["process"] for event in lines(tmp_path) if event["event"] == "told"
    } == {os.getpid()}


def test_an_evaluator_that_cannot_travel_is_refused(tmp_path: Path) -> None:
    with (
        opened(tmp_path) as study,
        pytest.raises(SettingsError, match=r"evaluator Unsendable cannot be sent to a worker"),
    ):
        Local(workers=2).run(study, Unsendable(SPACE))


def test_a_signal_while_a_worker_starts_leaves_none_behind(tmp_path: Path) -> None:
    """Python waits at its end for processes that are left, and workers do not hear SIGTERM."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with opened(tmp_path) as study, pytest.raises(KeyboardInterrupt):
            Local(workers=2).run(study, Impatient(SPACE))
    finally:
        signal.signal(signal.SIGINT, before)
    assert not multiprocessing.active_children()


def test_a_worker_that_cannot_start_stops_the_search(tmp_path: Path) -> None:
    with (
        opened(tmp_path) as study,
        pytest.raises(StudyError, match="ended with exit code 1 before its first trial"),
    ):
        Local(workers=2).run(study, Unloadable(SPACE))
    assert "failed" not in {event["event"] for event in lines(tmp_path)}


@pytest.mark.parametrize(
    "options",
    [{"workers": 0}, {"workers": 5000}, {"trial_timeout": 0}, {"trial_timeout": float("nan")}],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(
        SettingsError,
        match=r"(workers is .*: expected a number from|trial-timeout is .*more than 0)",
    ):
        Local(**options)


def test_workers_do_not_outlive_a_driver_that_is_killed(tmp_path: Path) -> None:
    words = (
        "--set",
        "evaluator.delay_seconds=60",
        "--workers",
        "2",
        "--trials",
        "4",
        "--out",
        tmp_path / "s",
    )
    process = started("search", *SMALL, *words)
    group = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 60
    while (
        sum(
            event["event"] == "attempted"
            for event in (lines(tmp_path / "s") if (tmp_path / "s").exists() else ())
        )
        < 2
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = [int(word) for word in group.read_text().split()]
    assert len(children) >= 2
    process.send_signal(signal.SIGKILL)
    process.communicate()
    while any(
        Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_bytes()
        for child in children
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
