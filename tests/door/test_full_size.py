"""Retrain and transfer from Python do what the command line does: same folder, same numbers, same
sentences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.errors import NasError
from parts.command_line import nas as command
from search_spaces.cells.reading import read_genotype

CELL = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
TINY = ("recipe.epochs=1", "recipe.train_images=100", "skeleton.filters=4")
WORDS = ("--dataset", "digits", "--to", "json", *(word for one in TINY for word in ("--set", one)))
SETTINGS: dict[str, Any] = {"dataset": "digits", "to": ["json"], "set": list(TINY)}


def result(folder: Path) -> Any:
    return json.loads((folder / "result.json").read_text())


def test_a_retraining_is_that_of_the_command_line(tmp_path: Path) -> None:
    here, there = tmp_path / "python", tmp_path / "command"
    found = nas.retrain(CELL, seeds=2, seed=1, out=here, **SETTINGS)
    answer = command(
        "retrain", CELL, *WORDS, "--seeds", "2", "--seed", "1", "--out", there, "--json"
    )
    assert [test.top_1 for test in found.tests] == [test["top_1"] for test in answer.json["test"]]
    assert (here / "best" / "genotype.json").read_bytes() == (
        there / "best" / "genotype.json"
    ).read_bytes()
    assert (here / "retrain.json").read_bytes() == (there / "retrain.json").read_bytes()
    before = (here / "result.json").read_bytes()
    nas.retrain(read_genotype(CELL), seeds=2, seed=1, out=here, **SETTINGS)  # all is done
    assert (here / "result.json").read_bytes() == before


def test_a_genotype_as_json_is_no_path(tmp_path: Path) -> None:
    text = read_genotype(CELL).to_json()
    answer = command("retrain", text, *WORDS, "--seeds", "1", "--out", tmp_path / "full", "--json")
    assert len(answer.json["test"]) == 1


def test_a_transfer_is_that_of_the_command_line(tmp_path: Path) -> None:
    here, there = tmp_path / "python", tmp_path / "command"
    found = nas.transfer(CELL, controls=["resnet"], out=here, **SETTINGS)
    words = [*WORDS, "--controls", "resnet", "--out", str(there), "--json"]
    answer = command("transfer", CELL, *words)
    assert [row.to_dict() for row in found.rows] == answer.json["arms"]
    results = [result(here), result(there)]
    for each in results:
        del each["weights"]  # digests of files, in which seconds stand
    assert results[0] == results[1]
    assert found.weights.is_file()
    assert found.report == here / "README.md"


@pytest.mark.parametrize(
    ("verb", "settings", "words"),
    [
        ("retrain", {"preset": "fat"}, ["--preset", "fat"]),
        ("retrain", {"precision": "fp8"}, ["--precision", "fp8"]),
        ("retrain", {"to": ["onxx"]}, ["--to", "onxx"]),
        ("retrain", {"set": {"recipes.epochs": 1}}, ["--set", "recipes.epochs=1"]),
        ("retrain", {"set": {"recipe.epochs": 0}}, ["--set", "recipe.epochs=0"]),
        ("transfer", {"mode": "scratsh"}, ["--mode", "scratsh"]),
        ("transfer", {"controls": ["resnte"]}, ["--controls", "resnte"]),
        ("transfer", {"workers": 1, "address": "auto"}, ["--address", "auto"]),
    ],
)
def test_what_is_refused_is_refused_with_the_same_sentence(
    tmp_path: Path, verb: str, settings: dict[str, Any], words: list[str]
) -> None:
    out = tmp_path / "full"
    answer = command(verb, CELL, "--dataset", "digits", "--out", out, *words)
    with pytest.raises(NasError) as refused:
        nas.__getattr__(verb)(CELL, **{"dataset": "digits", "out": out, **settings})
    assert answer.sentence == str(refused.value)
    assert not out.exists()


def test_a_setting_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(NasError, match=r"no setting of a training is called 'devise'.*device"):
        nas.retrain(CELL, devise="cpu", out=tmp_path / "r")  # type: ignore[call-arg]
    with pytest.raises(NasError, match="seeds is 0: expected 1 or more"):
        nas.transfer(CELL, seeds=0, out=tmp_path / "r")


def test_seeds_and_formats_are_read_as_the_command_line_reads_them(tmp_path: Path) -> None:
    settings = {**SETTINGS, "to": "json"}
    found = nas.retrain(CELL, seeds="1", out=tmp_path / "r", **settings)
    assert len(found.tests) == 1
    assert (tmp_path / "r" / "best" / "genotype.json").is_file()
    assert not (tmp_path / "r" / "best" / "model.py").exists()
    for seeds in ("1-3", [1, 2], 1.5):
        with pytest.raises(NasError, match=r"seeds is .*: expected a whole number of 1 or more"):
            nas.retrain(CELL, seeds=seeds, out=tmp_path / "s", **SETTINGS)  # type: ignore[arg-type]
    with pytest.raises(NasError, match="no exporter is called 'onxx'"):
        nas.transfer(CELL, out=tmp_path / "t", **{**SETTINGS, "to": "json,onxx"})


def test_what_a_search_gives_is_trained_at_full_size(tmp_path: Path) -> None:
    words: dict[str, Any] = {"space": "nasbench201", "evaluator": "landscape", "trials": 3}
    study = nas.search(**words, out=tmp_path / "s")
    found = nas.retrain(study, seeds=1, out=tmp_path / "r", **SETTINGS)
    assert found.entrants[0].choice.genotype.key == study.best.key
    rows = nas.transfer(study.best, out=tmp_path / "t", **SETTINGS).rows
    assert [row.name for row in rows] == ["searched"]


def test_epochs_are_shown_where_they_are_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nas.retrain(CELL, seeds=1, out=tmp_path / "r", progress=True, **SETTINGS)
    out, err = capsys.readouterr()
    assert out == ""
    assert "seed 0, epoch 1: validation 0." in err
