"""Latencies: one per engine and batch, from many warm rounds; bad words get one sentence. No time
is asserted."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nas.cli import app
from nas.errors import NasError
from nas.exporting.latencies import latencies
from nas.registry import load
from nas.seeding import numpy_rng
from nas.training.latency import Latency
from parts.exported_networks import subject

GENOTYPE = load("space", "nasbench201")().sample(numpy_rng(0, "profile"))


def test_one_latency_for_each_engine_and_batch() -> None:
    pytest.importorskip("onnxruntime")
    small = subject(GENOTYPE, layout="nasbench201", filters=4, image_size=8)
    found = latencies(small, (1, 3), seconds=0.01)
    assert [(speed.engine, speed.batch) for speed in found] == [
        ("torch", 1), ("torch", 3), ("onnxruntime", 1), ("onnxruntime", 3),
    ]  # fmt: skip
    assert all(
        speed.milliseconds > 0 and speed.rounds >= 5 and speed.spread >= 0 for speed in found
    )
    assert not small.network.training


def test_a_missing_engine_is_said_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr("nas.exporting.latencies.measured", None)  # nothing may be measured
    small = subject(GENOTYPE, layout="nasbench201", filters=4, image_size=8)
    with pytest.raises(NasError) as problem:
        latencies(small, (1,))
    assert str(problem.value) == (
        "engine onnxruntime needs onnxruntime, which is not installed: pip install "
        "'nas-toolkit[onnx]', or say --engine torch"
    )


def test_images_per_second_follow_from_batch_and_time() -> None:
    assert Latency("torch", "cpu", 1, 32, 8.0, 0.1, 9, 7.9).images_per_second == 4000


def test_the_command_prints_a_row_per_latency(tmp_path: Path) -> None:
    file = tmp_path / "g.json"
    file.write_text(GENOTYPE.to_json())
    words = ["profile", str(file), "--engine", "torch", "--batch", "1,2", "--seconds", "0.01"]
    small = ["--set", "skeleton.filters=4", "--set", "skeleton.cells_per_stage=1"]
    answer = CliRunner().invoke(app, [*words, *small, "--json"], catch_exceptions=False)
    facts = json.loads(answer.stdout)
    assert [row["batch"] for row in facts["latency"]] == [1, 2]
    assert facts["key"] == GENOTYPE.key
    assert facts["hardware"]["cores"] >= 1
    shown = CliRunner().invoke(app, [*words, *small], catch_exceptions=False).output
    assert "images per second" in shown


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--batch", "many"],
            "--batch 'many' is no size of batch; expected whole numbers, say 1,32",
        ),
        (["--batch", "0"], "batch 0 cannot be measured; expected 1 to 4096"),
        (["--engine", "tensorrt"], "no engine is called 'tensorrt'; there are"),
        (["--device", "abacus"], "device 'abacus' cannot be used here"),
    ],
)
def test_bad_words_get_one_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(NasError) as problem:
        CliRunner().invoke(app, ["profile", "nasnet-a", *words], catch_exceptions=False)
    assert sentence in str(problem.value)


def test_latency_is_a_metric_of_a_search_and_a_limit(tmp_path: Path) -> None:
    space = load("space", "nasbench201")()
    small = {"filters": 4, "cells_per_stage": 1}
    quick = {"epochs": 1, "train_images": 100}
    evaluator = load("evaluator", "train")(
        space,
        latency_batch=2,
        score="val_accuracy - latency_ms / 1e6",
        skeleton=small,
        recipe=quick,
        device="cpu",
    )
    found = evaluator.evaluate(GENOTYPE, seed=0, workdir=tmp_path, report=lambda *_: True)
    assert found.metrics["latency_ms"] > 0
    assert found.score == found.metrics["val_accuracy"] - found.metrics["latency_ms"] / 1e6
    assert evaluator.costs(GENOTYPE)["latency_ms"] > 0
    assert "latency_ms" not in load("evaluator", "train")(space).costs(GENOTYPE)
    with pytest.raises(NasError, match="latency_ms"):
        load("evaluator", "train")(space, score="latency_ms")
    with pytest.raises(NasError, match="latency_batch is -1; expected 1 to 4096"):
        load("evaluator", "train")(space, latency_batch=-1).costs(GENOTYPE)
