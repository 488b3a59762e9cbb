"""Nodes that are not as they should be: those that break what they touch, and those that lack
something."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from parts.clusters import (
    FAULT,
    cluster,
    count,
    ended,
    kill,
    running,
    search,
    start_node,
    wait_for,
    wait_to_hear,
)
from parts.studies import lines

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module", autouse=True)
def head() -> Iterator[None]:
    """The good node."""
    with cluster(1):
        yield


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
    bad = start_node(1, **{FAULT: fault})
    slowly = ("--set", "evaluator.epoch_seconds=0.3")
    with running(search(folder, *words, *slowly, trials=1_000)) as driver:
        wait_to_hear(driver, sentence)
        told = count(folder, "told")
        wait_for(lambda: count(folder, "told") > told + 5, driver)
        driver.send_signal(signal.SIGTERM)
        done = ended(driver)
    kill(bad)

    assert done.returncode == 3, done.stdout + done.stderr
    assert sentence not in done.stderr, "once is enough"
    assert count(folder, "failed") == 0
    assert count(folder, "told") == count(folder, "asked")
    after = [event for event in lines(folder) if event["event"] == "attempted" and "after" in event]
    assert len(after) == (3 if fault == "kill" else 0)
