"""The way onto a cluster: begun on a laptop, continued on two nodes, killed there and ended there;
every line that is printed is followed. Part of `make test-ray`."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from parts.clusters import cluster, count, ended, running, wait_for
from parts.clusters import run as run_command
from parts.command_line import Answer
from parts.printed_lines import the_command

pytestmark = pytest.mark.ray

CHILDREN = ("recipe.epochs=2", "recipe.train_images=200", "skeleton.filters=4")
SMALL = " ".join(f"--set {each}" for each in CHILDREN)


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[int]]:
    """A head and a second node, as the page on clusters starts them."""
    with cluster(1, 1) as started:
        yield started


def said(command: str, at: Path) -> Answer:
    """Type a line into a shell that stands in this folder."""
    done = run_command(["env", "-C", str(at), *shlex.split(command)])
    assert done.returncode == 0, done.stdout + done.stderr
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.mark.usefixtures("nodes")
def test_from_a_laptop_to_a_cluster_and_back(tmp_path: Path) -> None:
    begun = said(f"nas search --space ladder --trials 1 {SMALL} --to none --out mine", tmp_path)
    onwards = the_command(begun.out, "nas resume ")
    assert onwards == "nas resume mine --trials +1"

    there = "--runner ray --set runner.address=auto"  # as docs/cluster.md says
    command = f"nas resume mine --trials +19 {there} --to none"
    with running(["env", "-C", str(tmp_path), *shlex.split(command)]) as driver:
        wait_for(lambda: count(tmp_path / "mine", "told") >= 4, driver)
        driver.send_signal(signal.SIGTERM)
        stopped = ended(driver)
    assert stopped.returncode == 3, stopped.stderr
    assert "interrupted" in stopped.stdout

    again = the_command(stopped.stdout, "nas resume ")
    assert "20 of 20 trials" not in said("nas status mine", tmp_path).out
    done = said(again, tmp_path)
    assert "finished: all 20 trials are done" in done.out
    assert "the log is sound" in said("nas status mine --check", tmp_path).out

    said(the_command(done.out, "nas show "), tmp_path)
    retrain = the_command(done.out, "nas retrain ") if "nas retrain" in done.out else None
    export = retrain or the_command(done.out, "nas export ")
    assert said(export + (f" {SMALL} --seeds 1 --to none" if retrain else ""), tmp_path).out
