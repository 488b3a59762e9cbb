"""Shared weights that learn on while a search goes on: they follow from the log, whenever it was
killed, and whatever the file beside it holds."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from parts.command_line import ended, nas, started
from parts.studies import lines, story

TRAINS = ("--space", "ladder", "--dataset", "digits", "--device", "cpu", "--evaluator", "shared")
TRAINS += ("--set", "recipe.batch_size=32", "--set", "recipe.train_images=96")
TRAINS += ("--set", "skeleton.filters=2", "--set", "evaluator.checkpoint_seconds=0")
TRAINS += ("--set", "evaluator.steps=2")
LATER = ("--set", "evaluator.while_searching=3")
SEARCH = ("search", *TRAINS, *LATER, "--strategy", "random-search", "--seed", "4")
FILE = "supernet-while-searching.safetensors"


def told(folder: Path) -> list[dict[str, Any]]:
    metrics: list[dict[str, Any]] = [
        event["metrics"] for event in lines(folder) if event["event"] == "told"
    ]
    return metrics


def losses(folder: Path) -> list[float]:
    return [metrics["shared_loss"] for metrics in told(folder)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("searches") / "whole"
    said = nas(*SEARCH, "--trials", "6", "--out", folder)
    assert said.code == 0, said.err
    return folder


def test_each_trial_is_judged_by_what_those_before_it_left(whole: Path, tmp_path: Path) -> None:
    assert [metrics["supernet_steps"] for metrics in told(whole)] == [0, 3, 6, 9, 12, 15]
    still = tmp_path / "still"
    words = ("search", *TRAINS, "--strategy", "random-search", "--seed", "4", "--trials", "6")
    assert nas(*words, "--out", still).code == 0
    assert [metrics["params"] for metrics in told(still)] == [m["params"] for m in told(whole)]
    assert losses(still)[0] == losses(whole)[0]
    assert all(a != b for a, b in zip(losses(still)[1:], losses(whole)[1:], strict=True))
    assert "supernet_steps" not in told(still)[0]


SLOW = [
    pytest.param(file, marks=pytest.mark.slow)
    for file in ("as it was", "torn", "changed", "of another")
]


@pytest.mark.parametrize("file", ["older", "gone", *SLOW])
def test_a_search_that_goes_on_has_the_same_weights(whole: Path, tmp_path: Path, file: str) -> None:
    halved, kept = tmp_path / "halved", tmp_path / "halved" / FILE
    assert nas(*SEARCH, "--trials", "2", "--out", halved).code == 0
    before = kept.read_bytes()
    assert nas("resume", halved, "--trials", "4").code == 0
    match file:
        case "older":
            kept.write_bytes(before)
        case "gone":
            kept.unlink()
        case "torn":
            kept.write_bytes(kept.read_bytes()[:-100])
        case "changed":
            kept.write_bytes(kept.read_bytes()[:-1] + b"x")
        case "of another":
            other = ("--seed", "5", "--trials", "3", "--out", tmp_path / "other")
            assert nas(*SEARCH, *other).code == 0
            kept.write_bytes((tmp_path / "other" / FILE).read_bytes())
    assert nas("resume", halved, "--trials", "6").code == 0
    assert losses(halved) == losses(whole)
    assert story(lines(halved)) == story(lines(whole))


def test_kill_9_while_weights_learn_on(whole: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    process = started(*SEARCH, "--trials", "6", "--out", killed, start_new_session=True)
    log, deadline = killed / "events.jsonl", time.monotonic() + 60
    while not log.exists() or log.read_bytes().count(b'"told"') < 3:
        assert time.monotonic() < deadline
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    ended(process)
    assert nas("resume", killed).code == 0
    assert losses(killed) == losses(whole)
    assert story(lines(killed)) == story(lines(whole))


@pytest.mark.slow
def test_a_process_of_its_own_has_the_same_weights(whole: Path, tmp_path: Path) -> None:
    timed = ("--trial-timeout", "60", "--trials", "6", "--out", tmp_path / "timed")
    said = nas(*SEARCH, *timed)
    assert said.code == 0, said.err
    assert losses(tmp_path / "timed") == losses(whole)


@pytest.mark.slow
def test_studies_of_a_comparison_learn_each_for_itself(tmp_path: Path) -> None:
    words = ("--strategies", "evolution", "--seeds", "4", "--no-report", "--trials", "3")
    said = nas("compare", *TRAINS, *LATER, *words, "--out", tmp_path / "c")
    assert said.code == 0, said.err
    alone = ("--strategy", "evolution", "--seed", "4", "--trials", "3", "--out", tmp_path / "one")
    assert nas("search", *TRAINS, *LATER, *alone).code == 0
    assert losses(tmp_path / "c" / "evolution" / "seed-4") == losses(tmp_path / "one")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--workers", "2"), "give --workers 1"),
        (("--runner", "ray"), "give --runner local"),
        (("--set", "evaluator.while_searching=-1"), "while_searching is -1: expected 0 or more"),
    ],
)
def test_trials_that_would_run_at_once_are_refused(
    tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    said = nas(*SEARCH, "--trials", "2", *words, "--out", tmp_path / "s")
    assert sentence in said.sentence
    assert not (tmp_path / "s").exists()
