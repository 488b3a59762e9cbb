"""Nodes that are not as they should be: those that break what they touch, and those that lack
something."""

from __future__ import annotations

from pathlib import Path

import pytest

from parts.clusters import FAULT, count, run, search, start_node
from parts.studies import lines

pytestmark = pytest.mark.ray


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("kill", "is left out: processes fail there one after another"),
        ("data", "is left out: there is no folder /data/cifar10"),
    ],
)
def test_a_bad_node_is_left_out_with_a_sentence_and_the_others_go_on(
    tmp_path: Path, fault: str, sentence: str
) -> None:
    folder = tmp_path / "study"
    words = ("--runner", "ray", "--address", "auto", "--retries", "3")
    try:
        start_node(1, head=True)
        start_node(1, **{FAULT: fault})
        done = run(search(folder, *words, "--set", "evaluator.epoch_seconds=0.3", trials=20))
    finally:
        run(["ray", "stop", "--force"])

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count(sentence) == 1, done.stderr
    assert count(folder, "failed") == 0
    assert count(folder, "told") == 20
    after = [event for event in lines(folder) if event["event"] == "attempted" and "after" in event]
    assert len(after) == (3 if fault == "kill" else 0)
