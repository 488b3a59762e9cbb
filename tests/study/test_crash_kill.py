"""Real processes, really killed: the study goes on as if nothing had happened."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

import pytest

from nas.seeding import numpy_rng
from parts.command_line import SMALL, Answer, ended, nas, ran, started
from parts.studies import lines, story

SLOW = ("--set", "evaluator.delay_seconds=0.004")  # costly: every line is synced
LEARNING = ("--space", "nasbench201", "--strategy", "evolution", "--evaluator", "landscape")
LEARNING += ("--set", "strategy.population=10", "--set", "strategy.sample=4")


def events(folder: Path) -> int:
    log = folder / "events.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def wait_for_events(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while events(folder) < count:
        assert time.monotonic() < deadline, "nothing is written"
        time.sleep(0.002)


def without_workers(text: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """What does not depend on the order in which results arrived: proposals, seeds and scores."""
    return [entry[:3] + entry[6:7] for entry in text]


@pytest.mark.parametrize(
    ("words", "kills"),
    [
        ((*LEARNING, *SLOW, "--trials", "80"), 3),
        ((*LEARNING, "--trials", "1000"), 3),
        ((*SMALL, *SLOW, "--workers", "2", "--trials", "60"), 3),
    ],
    ids=["each", "grouped", "workers"],
)
def test_kill_9(tmp_path: Path, words: tuple[str, ...], kills: int) -> None:
    """Nothing told before a kill is lost, nothing is told twice (`make soak` kills more)."""
    assert nas("search", *words, "--workers", "1", "--out", tmp_path / "a").code == 0
    whole = without_workers(story(lines(tmp_path / "a")))
    rng = numpy_rng(0, "kills")
    folder = tmp_path / "b"
    for _ in range(kills):
        before = events(folder)
        process = started("search", *words, "--out", folder, start_new_session=True)
        wait_for_events(folder, before + 5 + int(rng.integers(40)))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        seen = (folder / "events.jsonl").read_bytes()
        ended(process)
        assert (folder / "events.jsonl").read_bytes().startswith(seen[: seen.rfind(b"\n") + 1])
    assert not [event for event in lines(folder) if event["event"] == "finished"]
    assert ran(("search", *words, "--out", folder)).code == 0
    assert without_workers(story(lines(folder))) == whole
    assert sum(event["event"] == "started" for event in lines(folder)) == kills + 1
    assert nas("status", folder, "--check").code == 0


def stopped_by(
    folder: Path, *signals: int, delay: float = 0.3, words: tuple[str, ...] = ()
) -> Answer:
    """A search that hears these signals, each after it has answered the one before."""
    process = started(
        "search", *SMALL, "--set", f"evaluator.delay_seconds={delay}", "--out", folder, *words
    )
    wait_for_events(folder, 3)
    said = ""
    assert process.stderr is not None
    for number in signals:
        process.send_signal(number)
        while "stopping after" not in said:
            said += process.stderr.readline()
    answer = ended(process)
    return Answer(answer.code, answer.out, said + answer.err)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_finishes_the_open_trial(tmp_path: Path, number: int) -> None:
    answer = stopped_by(tmp_path / "s", number, words=("--trials", "50"))
    assert answer.code == 3
    assert "stopping after the open trials; once more to stop now" in answer.err
    assert "interrupted (" in answer.out
    assert f"nas resume {tmp_path / 's'}" in answer.out
    assert "Traceback" not in answer.err
    asked = {event["number"] for event in lines(tmp_path / "s") if event["event"] == "asked"}
    assert asked == {event["number"] for event in lines(tmp_path / "s") if event["event"] == "told"}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_two_signals_stop_now(tmp_path: Path, workers: str) -> None:
    words = ("--trials", "2", "--workers", workers)
    answer = stopped_by(tmp_path / "s", signal.SIGINT, signal.SIGINT, delay=4.0, words=words)
    assert answer.code == 3
    assert f"stopped now; continue with `nas resume {tmp_path / 's'}`" in answer.err
    assert "Traceback" not in answer.err
    asked = {event["number"] for event in lines(tmp_path / "s") if event["event"] == "asked"}
    assert asked > {event["number"] for event in lines(tmp_path / "s") if event["event"] == "told"}
    assert nas("resume", tmp_path / "s", "--workers", "2").code == 0
    assert len(story(lines(tmp_path / "s"))) == 2


def test_two_signals_stop_a_comparison_in_processes_now(tmp_path: Path) -> None:
    """It does not wait for the studies that run, which here would take minutes."""
    words = ("compare", "--evaluator", "landscape", "--set", "evaluator.delay_seconds=0.5")
    more = ("--strategies", "evolution,random-search", "--seeds", "1", "--trials", "1000")
    folder = tmp_path / "c"
    process = started(*words, *more, "--processes", "2", "--no-report", "--out", folder)
    for arm in ("evolution", "random-search"):
        wait_for_events(folder / arm / "seed-1", 3)
    assert process.stderr is not None
    process.send_signal(signal.SIGINT)
    while "once more to stop now" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    answer = ended(process)
    assert answer.code == 3
    assert "stopped now; continue with `nas compare " in answer.err
    assert "Traceback" not in answer.err
    for arm in ("evolution", "random-search"):
        assert nas("status", folder / arm / "seed-1", "--check").code == 0


def test_a_signal_to_the_whole_group_leaves_workers_their_trials(tmp_path: Path) -> None:
    """As a terminal sends Ctrl-C, and a cluster SIGTERM."""
    words = (
        "--set",
        "evaluator.delay_seconds=0.3",
        "--workers",
        "2",
        "--trials",
        "50",
        "--out",
        tmp_path / "s",
    )
    process = started("search", *SMALL, *words, start_new_session=True)
    wait_for_events(tmp_path / "s", 8)
    os.killpg(process.pid, signal.SIGTERM)
    answer = ended(process)
    assert answer.code == 3
    assert "Traceback" not in answer.err
    kinds = [event["event"] for event in lines(tmp_path / "s")]
    assert "failed" not in kinds
    assert kinds.count("asked") == kinds.count("told")


def test_two_writers(tmp_path: Path) -> None:
    words = (
        "search",
        *SMALL,
        "--set",
        "evaluator.delay_seconds=0.2",
        "--trials",
        "200",
        "--out",
        tmp_path / "s",
    )
    process = started(*words)
    wait_for_events(tmp_path / "s", 3)
    assert (
        "is being written by another process: wait for it, stop it, or choose another"
        in nas(*words).sentence
    )
    assert "is being written by another process" in nas("resume", tmp_path / "s").sentence
    assert nas("status", tmp_path / "s", "--json").json["finished"] is None
    process.kill()
    ended(process)


def test_a_full_disk_leaves_a_log_that_resumes(tmp_path: Path) -> None:
    words = ("search", *LEARNING, "--trials", "120")
    assert nas(*words, "--out", tmp_path / "whole").code == 0

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    answer = ran((*words, "--out", tmp_path / "s"), preexec_fn=small_files)
    assert answer.code == 2
    assert answer.err.splitlines()[-1].startswith("error: ")
    assert (
        "cannot be written: File too large; the log is intact: make room and resume" in answer.err
    )
    assert (tmp_path / "s" / "events.jsonl").read_bytes().endswith(b"}\n")
    assert nas("status", tmp_path / "s", "--check").code == 0
    assert nas("resume", tmp_path / "s").code == 0
    assert story(lines(tmp_path / "s")) == story(lines(tmp_path / "whole"))


FRONT = ("--space", "nasbench201", "--table", "nasbench201-digits", "--strategy", "local-search")
FRONT += ("--objectives", "score, -macs", "--trials", "600")


@pytest.mark.parametrize(
    "order",
    [(), pytest.param(("--deterministic", "--workers", "2"), marks=pytest.mark.slow)],
    ids=["as-they-come", "deterministic"],
)
def test_kill_9_with_several_objectives(tmp_path: Path, order: tuple[str, ...]) -> None:
    """The front, what covers it and every told point are those of the search that lived."""
    words, whole, killed = (*FRONT, *order), tmp_path / "a", tmp_path / "b"
    assert ran(("search", *words, "--out", whole)).code == 0
    rng = numpy_rng(1, "kills")
    for _ in range(2):
        before = events(killed)
        process = started("search", *words, "--out", killed, start_new_session=True)
        wait_for_events(killed, before + 20 + int(rng.integers(200)))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        ended(process)
    assert not [event for event in lines(killed) if event["event"] == "finished"]
    assert ran(("search", *words, "--out", killed)).code == 0

    assert told_points(killed) == told_points(whole)
    one, other = (nas("best", folder, "--json").json for folder in (whole, killed))
    assert other["front"] == one["front"]
    assert (other["knee"], other["hypervolume"]) == (one["knee"], one["hypervolume"])
    places = (sorted(p.name for p in (f / "best" / "front").iterdir()) for f in (whole, killed))
    assert next(places) == next(places)
    assert nas("status", killed, "--check").code == 0


def told_points(folder: Path) -> list[tuple[object, ...]]:
    told = [event for event in lines(folder) if event["event"] == "told"]
    return [(event["number"], event["objectives"]) for event in told]
