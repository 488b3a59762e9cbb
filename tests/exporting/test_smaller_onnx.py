"""ONNX in eight and sixteen bits: calibrated on training pictures only, judged on the validation
split, refused where too much is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nas.training.datasets import Dataset, Images
from parts.command_line import nas

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small child that has learned something of the digits."""
    folder = tmp_path_factory.mktemp("smaller") / "study"
    tiny = ("--set", "recipe.epochs=3", "--set", "skeleton.filters=8")
    tiny += ("--set", "skeleton.cells_per_stage=1")
    words = ("--space", "ladder", "--trials", "1", *tiny, "--to", "none")
    answer = nas("search", *words, "--out", folder)
    assert answer.code == 0, answer.err
    return folder


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The splits that are loaded meanwhile."""
    seen: list[str] = []
    load = Dataset.load

    def watched(self: Dataset, split: str) -> Images:
        seen.append(split)
        return load(self, split)  # type: ignore[arg-type]

    monkeypatch.setattr(Dataset, "load", watched)
    return seen


def accuracy_of(file: Path) -> float:
    from nas.training.datasets import open_dataset

    digits = open_dataset("digits")
    val = digits.load("val")
    pixels = (val.pixels.astype(np.float32) / 255 - np.float32(digits.mean)) / np.float32(
        digits.std
    )
    session = onnxruntime.InferenceSession(str(file))
    logits = session.run(None, {"images": pixels.transpose(0, 3, 1, 2).astype(np.float32)})[0]
    return float((logits.argmax(1) == val.labels).mean())


def test_int8_is_calibrated_on_training_pictures_and_says_what_it_costs(
    study: Path, looked_at: list[str], tmp_path: Path
) -> None:
    words = ("export", study, "--to", "onnx,onnx-int8,onnx-fp16", "--tolerance", "0.05")
    answer = nas(*words, "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert set(looked_at) == {"train", "val"}
    assert looked_at.count("train") == 1  # of int8 alone

    card = (tmp_path / "out" / "README.md").read_text()
    for name in ("model.int8.onnx", "model.fp16.onnx"):
        row = re.search(rf"\| `{name}` \| ([0-9.]+) \| ([0-9,]+) bytes \| ([0-9.]+) ms \|", card)
        assert row is not None, card
        file = tmp_path / "out" / name
        assert float(row[1]) == pytest.approx(accuracy_of(file), abs=1e-4)
        assert int(row[2].replace(",", "")) == file.stat().st_size
    exact = re.search(r"\| exact \| ([0-9.]+) ", card)
    assert exact is not None
    assert float(exact[1]) == pytest.approx(accuracy_of(tmp_path / "out" / "model.onnx"), abs=1e-4)


def test_what_loses_too_much_is_refused_and_nothing_is_written(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A calibration that saw images of nothing but black has learned no range."""
    from nas.exporting.formats import onnx_int8

    def black(images: Images, dataset: Dataset) -> Iterator[object]:
        yield np.zeros((4, dataset.channels, dataset.image_size, dataset.image_size), np.float32)

    monkeypatch.setattr(onnx_int8, "pictures_of", black)
    words = ("export", study, "--to", "onnx-int8", "--tolerance", "0", "--out", tmp_path / "out")
    sentence = nas(*words).sentence
    assert sentence.startswith("model.int8.onnx is right on ")
    assert "that loses more than 0.00%, so nothing was exported" in sentence
    assert not (tmp_path / "out").exists()


def test_weights_that_do_not_say_what_they_learned_from_are_refused(tmp_path: Path) -> None:
    words = ("export", "enas", "--set", "skeleton.filters=4", "--set", "skeleton.image_size=8")
    sentence = nas(*words, "--to", "onnx-int8", "--out", tmp_path / "out").sentence
    assert "do not say what they were trained on" in sentence
