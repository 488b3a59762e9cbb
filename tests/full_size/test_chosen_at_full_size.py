"""What a genotype chose goes with it: shown, exported, retrained, transferred; what a user sets
wins."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import nas
from nas.training.checkpoint import read_weights
from parts.command_line import nas as command
from search_spaces.cells.cost import params
from search_spaces.cells.genotype import Genotype
from search_spaces.nasbench201 import Nasbench201Space

PLAIN = Nasbench201Space().sample(np.random.default_rng(4))
CHOSEN = {
    "skeleton.filters": 6,
    "skeleton.cells_per_stage": 1,
    "skeleton.image_size": 6,
    "recipe.learning_rate": 0.25,
}
GENOTYPE = replace(PLAIN, settings=CHOSEN)
QUICK = {"recipe.epochs": 1, "recipe.train_images": 64}
FIXED = {"filters": 6, "cells_per_stage": 1, "image_size": 6}


def facts(folder: Path) -> Any:
    (file,) = folder.glob("*/seed-0/weights.safetensors")
    return read_weights(file)[1]


def test_a_retraining_is_that_of_the_settings_typed_out(tmp_path: Path) -> None:
    words: Any = {"dataset": "digits", "seeds": 1}
    formats = ["json", "python", "onnx"]
    one = nas.retrain(GENOTYPE, out=tmp_path / "chosen", set=QUICK, to=formats, **words)
    typed = {**QUICK, **CHOSEN}
    two = nas.retrain(PLAIN, out=tmp_path / "typed", set=typed, to=(), **words)
    assert one.tests == two.tests
    assert (
        one.entrants[0].runs[0].curve[-1]["val_loss"]
        == two.entrants[0].runs[0].curve[-1]["val_loss"]
    )
    known = facts(tmp_path / "chosen")
    assert {name: known["skeleton"][name] for name in FIXED} == FIXED
    assert known["recipe"]["learning_rate"] == 0.25

    best = tmp_path / "chosen" / "best"
    assert Genotype.from_json((best / "genotype.json").read_text()) == GENOTYPE
    session = onnxruntime.InferenceSession(best / "model.onnx")
    assert session.get_inputs()[0].shape[1:] == [1, 6, 6]
    shown = command("show", best / "genotype.json", "--json").json
    assert {name: shown["skeleton"][name] for name in FIXED} == FIXED
    picture = tmp_path / "picture.png"
    _picture(picture)
    assert len(nas.predict(best, [picture])) == 1


def test_what_is_set_wins(tmp_path: Path) -> None:
    mine = {**QUICK, "skeleton.filters": 4, "skeleton.image_size": 8, "recipe.learning_rate": 0.5}
    nas.retrain(GENOTYPE, dataset="digits", seeds=1, to=(), out=tmp_path / "mine", set=mine)
    known = facts(tmp_path / "mine")
    assert known["skeleton"]["filters"] == 4
    assert known["skeleton"]["image_size"] == 8
    assert known["recipe"]["learning_rate"] == 0.5
    narrow, chosen, plain = (
        params(nas.build(*each, **more))
        for each, more in (((GENOTYPE,), {"filters": 4}), ((GENOTYPE,), {}), ((PLAIN,), {}))
    )
    assert narrow < chosen < plain
    assert chosen == params(nas.build(PLAIN, filters=6, cells_per_stage=1))


def test_a_transfer_keeps_width_and_depth_and_asks_the_data_for_the_size(tmp_path: Path) -> None:
    moved = nas.transfer(
        GENOTYPE, dataset="digits", seeds=1, to=(), out=tmp_path / "moved", set=QUICK
    )
    skeleton = json.loads((tmp_path / "moved" / "transfer.json").read_text())["arms"][0]["skeleton"]
    assert (skeleton["filters"], skeleton["cells_per_stage"], skeleton["image_size"]) == (6, 1, 8)
    assert moved.rows


def test_each_of_a_front_is_retrained_by_what_it_chose(tmp_path: Path) -> None:
    study = tmp_path / "study"
    done = command(
        "search",
        "--space",
        "nasbench201",
        "--dataset",
        "digits",
        "--objectives",
        "val_accuracy, -macs",
        "--strategy",
        "random-search",
        "--set",
        "skeleton.image_size=4,8",
        "--set",
        "skeleton.filters=4,8",
        "--set",
        "recipe.learning_rate=0.05,0.2",
        "--set",
        "recipe.epochs=1",
        "--set",
        "recipe.train_images=64",
        "--trials",
        "6",
        "--seed",
        "1",
        "--to",
        "none",
        "--scales",
        "0:1, -3e6:0",
        "--out",
        study,
    )
    assert done.code == 0, done.err
    found = nas.retrain(study, front=True, seeds=1, to=["json"], set=QUICK, out=tmp_path / "again")
    assert len(found.front) > 1
    for row in found.front:
        genotype = row.entrant.choice.genotype
        known = read_weights(row.entrant.runs[0].file)[1]
        assert known["skeleton"]["image_size"] == genotype.settings["skeleton.image_size"]
        assert known["skeleton"]["filters"] == genotype.settings["skeleton.filters"]
        assert known["recipe"]["learning_rate"] == genotype.settings["recipe.learning_rate"]
        assert row.exported is not None
    exported = nas.export(study, to=["json", "svg", "onnx"], out=tmp_path / "out")
    assert exported.folder.is_dir()


def test_a_text_without_a_place_for_them_is_refused(tmp_path: Path) -> None:
    text = GENOTYPE.to_json()
    refused = command("convert", text, "--to", "nasbench201")
    assert "a text of nasbench201 cannot say: convert it to json" in refused.sentence
    assert command("convert", text, "--to", "json").out.strip() == text
    drawn = " ".join(command("show", text).out.split())
    assert "skeleton.filters = 6" in drawn
    assert "with what the genotype chose (filters, cells_per_stage, image_size)" in drawn


@pytest.mark.parametrize("wrong", [{"skeleton.image_size": 2}, {"recipe.momentumm": 0.5}])
def test_a_genotype_that_chose_what_cannot_be_is_refused(tmp_path: Path, wrong: Any) -> None:
    genotype = replace(PLAIN, settings=wrong)
    with pytest.raises(nas.NasError, match=r"image_size 2 is too small|is called 'momentumm'"):
        nas.retrain(genotype, dataset="digits", seeds=1, to=(), out=tmp_path / "a", set=QUICK)


def _picture(file: Path) -> None:
    from PIL import Image

    Image.new("L", (20, 20), 128).save(file)
