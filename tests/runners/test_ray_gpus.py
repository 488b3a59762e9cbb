"""GPUs that a cluster pretends to have: Ray keeps the books, and torch sees none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from parts.clusters import run, search, start_node, stop_ray
from parts.studies import lines

pytestmark = pytest.mark.ray

RAY = ("--runner", "ray", "--address", "auto")
TRAIN = (*RAY, "--dataset", "digits", "--set", "recipe.epochs=1")


@pytest.fixture(scope="module", autouse=True)
def gpus() -> Iterator[None]:
    """One node of two processors and two GPUs."""
    try:
        start_node(2, head=True, gpus=2)
        yield
    finally:
        stop_ray()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--gpus-per-trial", "0.5"),
            "node 127.0.0.1: 0.5 GPU is reserved for each child, but torch sees no GPU in a "
            "process there",
        ),
        (
            ("--device", "cuda", "--gpus-per-trial", "0.5"),
            "node 127.0.0.1: device 'cuda' cannot be used here",
        ),
        (
            ("--device", "cuda"),
            "children train on cuda, and the cluster has 2 GPUs, but --gpus-per-trial is 0, so "
            "that all would crowd on the first GPU of their node: add --gpus-per-trial 1",
        ),
        (("--device", "cpu", "--gpus-per-trial", "1"), "reserves GPUs, but the device is cpu"),
    ],
)
def test_gpus_that_children_would_not_use_are_an_error_before_anything_is_written(
    tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    folder = tmp_path / "study"
    done = run(search(folder, *TRAIN, *words, evaluator="train", trials=2))
    assert done.returncode == 2, done.stdout + done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not folder.exists()


def test_the_device_is_the_worker_s_where_the_driver_has_none(tmp_path: Path) -> None:
    """It is settled by a process that has what children have; the study says what was asked, its
    log what each trial had, and it may go on elsewhere."""
    folder = tmp_path / "study"
    words = (*RAY, "--gpus-per-trial", "0.5", "--cpus-per-trial", "0.5")
    done = run(search(folder, *words, evaluator="parts.clusters:OnGpus", trials=8))
    assert done.returncode == 0, done.stdout + done.stderr
    told = [event["metrics"] for event in lines(folder) if event["event"] == "told"]
    assert {each["hardware"] for each in told} == {"a pretended GPU"}
    assert {each["sees"] for each in told} <= {"0", "1"}, "one of them each"
    assert json.loads((folder / "study.json").read_text())["measured"] == {}
    settled = {"hardware": "a pretended GPU", "device": "cuda", "precision": "bf16"}
    assert json.loads((folder / "machines.json").read_text()) == [settled]

    resumed = ["nas", "resume", str(folder), "--trials", "+1", "--trust"]
    refused = run([*resumed, "--runner", "local"])
    assert refused.returncode == 2
    assert "error: device 'cuda' cannot be used here" in refused.stderr
    elsewhere = run([*resumed, "--runner", "local"], CUDA_VISIBLE_DEVICES="5")
    assert elsewhere.returncode == 0, elsewhere.stdout + elsewhere.stderr
