"""Ray's own memory monitor ends children; the search goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from parts.clusters import (
    cluster,
    ended,
    free_megabytes,
    full_node,
    memory_monitor,
    run,
    running,
    search,
    wait_to_hear,
)
from parts.studies import lines

pytestmark = pytest.mark.ray
_ROOM = 2_200  # megabytes for Ray itself, the driver and a worker: some 1,100 here
_WORDS = ("--runner", "ray", "--address", "auto", "--retries", "1")


@pytest.fixture(scope="module")
def watched_node() -> Iterator[None]:
    """A node that may fill a little more than it holds now."""
    if free_megabytes() < 6_000:
        pytest.skip("the child needs four gigabytes, and less than six are free")
    with cluster(1, **memory_monitor(_ROOM)):
        yield


def test_a_child_that_the_memory_monitor_ends_is_a_failure_of_its_trial(
    tmp_path: Path, watched_node: None
) -> None:
    """It asks for much more than the node may hold, and is ended by Ray itself."""
    folder = tmp_path / "study"
    greedy = ("--set", "evaluator.megabytes=4000", "--set", "evaluator.greedy=true")

    done = run(search(folder, *_WORDS, *greedy, "--seed", "4", trials=2))  # one even, one odd

    assert done.returncode == 0, done.stdout + done.stderr
    greedy_ones = {
        event["number"] for event in lines(folder) if "seed" in event and event["seed"] % 2 == 0
    }
    failed = {event["number"]: event for event in lines(folder) if event["event"] == "failed"}
    assert len(greedy_ones) == 1
    assert set(failed) == greedy_ones, "the other was told"
    assert {event["kind"] for event in failed.values()} == {"out_of_memory"}
    attempts = [event["number"] for event in lines(folder) if event["event"] == "attempted"]
    assert all(attempts.count(number) == 2 for number in greedy_ones), "it was tried again"
    check = run(["nas", "status", str(folder), "--check", "--json", "--trust"])
    assert json.loads(check.stdout)["check"]["sound"], check.stdout


def test_a_node_that_others_have_filled_is_waited_for(tmp_path: Path, watched_node: None) -> None:
    """Ray ends each process that starts while the node is full; no trial fails for it."""
    folder = tmp_path / "study"

    with running(search(folder, *_WORDS, trials=1)) as driver:
        with full_node(_ROOM):
            wait_to_hear(driver, "no worker can begin just now (the node ran out of memory")
        done = ended(driver)

    assert done.returncode == 0, done.stdout + done.stderr
    events = [event["event"] for event in lines(folder)]
    assert events.count("told") == 1
    assert "failed" not in events
