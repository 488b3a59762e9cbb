"""GPUs that a cluster pretends to have: Ray keeps the books, children see none."""

from __future__ import annotations

from pathlib import Path

import pytest

from parts.clusters import count, run, search, start_node

pytestmark = pytest.mark.ray

TRAIN = ("--dataset", "digits", "--set", "recipe.epochs=1", "--runner", "ray", "--address", "auto")


def test_gpus_that_are_reserved_and_not_used_are_an_error_before_the_first_trial(
    tmp_path: Path,
) -> None:
    """The head has no GPU that torch could use, so the study would train on processors for ever."""
    folder = tmp_path / "study"
    try:
        start_node(1, head=True, gpus=4)
        done = run(search(folder, *TRAIN, "--gpus-per-trial", "0.5", evaluator="train", trials=2))
    finally:
        run(["ray", "stop", "--force"])

    assert done.returncode == 2, done.stdout + done.stderr
    assert "error: --gpus-per-trial 0.5 reserves GPUs, but the children of this study train" in (
        done.stderr
    )
    assert "Traceback" not in done.stderr
    assert count(folder, "asked") == 0
