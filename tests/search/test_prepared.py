"""Weights that a search trains before its first trial: once for all arms and seeds, exact after a
kill."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from parts.command_line import ended, nas, started
from parts.studies import lines, story

TRAINS = ("--space", "ladder", "--dataset", "digits", "--device", "cpu")
TRAINS += ("--set", "recipe.batch_size=32", "--set", "recipe.train_images=96")
TRAINS += ("--set", "skeleton.filters=2", "--set", "evaluator.checkpoint_seconds=0")
SHARED = (*TRAINS, "--evaluator", "shared", "--trials", "3")
SEARCH = ("search", *SHARED, "--strategy", "random-search")
QUICK = ("--set", "evaluator.steps=2")


def record(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "supernet.json").read_text())
    return found


def weights(study: Path) -> str:
    return str(json.loads((study / "study.json").read_text())["measured"]["weights"])


def test_weights_are_made_once_and_are_the_same_for_every_seed(tmp_path: Path) -> None:
    first = nas(*SEARCH, *QUICK, "--out", tmp_path / "a" / "s")
    assert first.code == 0, first.err
    assert "supernet: 2 steps come first" in first.err
    made = tmp_path / "a" / "s" / "supernet"
    assert weights(made.parent) == record(made)["weights"]
    before = (made / "weights.safetensors").stat().st_mtime_ns

    again = nas("resume", tmp_path / "a" / "s", "--trials", "+1")
    assert again.code == 0, again.err
    assert "come first" not in again.err
    assert (made / "weights.safetensors").stat().st_mtime_ns == before

    assert nas(*SEARCH, *QUICK, "--seed", "5", "--out", tmp_path / "b" / "s").code == 0
    assert weights(tmp_path / "b" / "s") == record(made)["weights"]

    (made / "weights.safetensors").write_bytes(b"")
    changed = nas("resume", tmp_path / "a" / "s", "--trials", "+1")
    assert changed.code == 2
    assert "is not what supernet.json names" in changed.err


@pytest.mark.parametrize(("supernets", "made"), [("one", 1), ("per-seed", 2)])
def test_all_arms_of_a_comparison_are_judged_alike(
    tmp_path: Path, supernets: str, made: int
) -> None:
    words = ("--strategies", "evolution", "--seeds", "2", "--no-report", "--processes", "1")
    own = ("--set", f"evaluator.supernets={supernets}")
    said = nas("compare", *SHARED, *QUICK, *own, *words, "--out", tmp_path / "c")
    assert said.code == 0, said.err
    folders = [f"supernet-seed-{seed}" for seed in (1, 2)] if made == 2 else ["supernet"]
    assert sorted(path.parent.name for path in tmp_path.rglob("supernet.json")) == folders
    known = [record(tmp_path / "c" / folder)["weights"] for folder in folders]
    assert len(set(known)) == made
    for arm in ("evolution", "random-search"):
        for seed in (1, 2):
            study = tmp_path / "c" / arm / f"seed-{seed}"
            assert weights(study) == known[(seed - 1) % made]
            assert nas("resume", study, "--trials", "+1").code == 0  # finds them by itself
    assert len(list(tmp_path.rglob("supernet.json"))) == made


@pytest.mark.parametrize(
    "words", [SEARCH, pytest.param(("supernet", *TRAINS), marks=pytest.mark.slow)]
)
def test_kill_9_while_weights_are_trained(tmp_path: Path, words: tuple[str, ...]) -> None:
    own = ("--steps", "30") if words[0] == "supernet" else ("--set", "evaluator.steps=30")
    place = Path() if words[0] == "supernet" else Path("supernet")
    process = started(*words, *own, "--out", tmp_path / "killed", start_new_session=True)
    kept, deadline = tmp_path / "killed" / place / "progress.safetensors", time.monotonic() + 60
    while not kept.exists():
        assert time.monotonic() < deadline, "nothing is kept"
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    ended(process)
    assert not (kept.parent / "supernet.json").exists()
    assert not (tmp_path / "killed" / "study.json").exists()

    for folder in ("killed", "whole"):
        said = nas(*words, *own, "--out", tmp_path / folder)
        assert said.code == 0, said.err
    one, other = (record(tmp_path / folder / place) for folder in ("killed", "whole"))
    assert one["weights"] == other["weights"]
    if words[0] == "search":
        told = [story(lines(tmp_path / folder)) for folder in ("killed", "whole")]
        assert told[0] == told[1]
