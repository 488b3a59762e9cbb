"""Ray's own memory monitor ends children; the search goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parts.clusters import cluster, free_megabytes, memory_monitor, run, search
from parts.studies import lines

pytestmark = pytest.mark.ray


def test_a_child_that_the_memory_monitor_ends_is_a_failure_of_its_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node may fill a little more than it holds now; a child that asks for much more is
    ended by Ray itself."""
    if free_megabytes() < 6_000:
        pytest.skip("the child needs four gigabytes, and less than six are free")
    for name, value in memory_monitor(1_500).items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "study"
    words = ("--runner", "ray", "--address", "auto", "--retries", "1")
    greedy = ("--set", "evaluator.megabytes=4000", "--set", "evaluator.greedy=true")

    with cluster(1):
        done = run(search(folder, *words, *greedy, trials=4))

    assert done.returncode == 0, done.stdout + done.stderr
    greedy_ones = {
        event["number"] for event in lines(folder) if "seed" in event and event["seed"] % 2 == 0
    }
    failed = {event["number"]: event for event in lines(folder) if event["event"] == "failed"}
    assert greedy_ones
    assert set(failed) == greedy_ones, "the others were told"
    assert {event["kind"] for event in failed.values()} == {"out_of_memory"}
    attempts = [event["number"] for event in lines(folder) if event["event"] == "attempted"]
    assert all(attempts.count(number) == 2 for number in greedy_ones), "each was tried again"
    check = run(["nas", "status", str(folder), "--check", "--json", "--trust"])
    assert json.loads(check.stdout)["check"]["sound"], check.stdout
