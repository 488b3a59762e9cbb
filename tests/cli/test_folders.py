"""A folder where a genotype is asked for: the winner of what was searched there, or what was
exported to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas.training.datasets import open_dataset
from parts.command_line import SMALL, Answer, nas


def well(answer: Answer) -> Answer:
    assert answer.code == 0, answer.err
    return answer


@pytest.fixture
def searched(tmp_path: Path) -> Path:
    well(nas("search", *SMALL, "--trials", "6", "--out", tmp_path / "study"))
    return tmp_path / "study"


def key_of(folder: Path) -> str:
    (best,) = well(nas("best", folder, "--json")).json["best"]
    return str(best["key"])


def test_the_winner_of_a_study(searched: Path) -> None:
    assert well(nas("show", searched, "--json")).json["key"] == key_of(searched)
    judged = well(nas("evaluate", searched, "--space", "nasbench201", "--evaluator", "landscape"))
    assert key_of(searched) in judged.out
    converted = well(nas("convert", searched, "--to", "nasbench201")).out
    assert well(nas("show", converted.strip(), "--json")).json["key"] == key_of(searched)


def test_the_winner_of_a_comparison(tmp_path: Path) -> None:
    words = ("--space", "nasbench201", "--evaluator", "landscape", "--strategies", "random-search")
    more = ("--seeds", "2", "--trials", "5", "--processes", "1", "--no-report")
    well(nas("compare", *words, *more, "--out", tmp_path / "all"))
    assert well(nas("show", tmp_path / "all", "--json")).json["key"] == key_of(tmp_path / "all")


def test_a_search_begins_with_the_winner_of_another(searched: Path, tmp_path: Path) -> None:
    words = ("search", *SMALL, "--trials", "3", "--start-from", searched, "--out", tmp_path / "on")
    well(nas(*words))
    events = (tmp_path / "on" / "events.jsonl").read_text().splitlines()
    first = next(event for event in map(json.loads, events) if event["event"] == "asked")
    assert first["key"] == key_of(searched)


def test_what_was_exported(searched: Path, tmp_path: Path) -> None:
    well(nas("export", searched, "--to", "json", "--out", tmp_path / "exported"))
    assert well(nas("show", tmp_path / "exported", "--json")).json["key"] == key_of(searched)


@pytest.mark.parametrize("verb", ["show", "export", "retrain", "profile"])
def test_a_folder_of_neither_says_where_one_is(searched: Path, verb: str) -> None:
    above = searched.parent
    assert nas(verb, above).sentence == (
        f"{above} holds no study, no comparison and no genotype.json; one lies below it, {searched}"
    )
    (above / "empty").mkdir()
    assert nas(verb, above / "empty").sentence == (
        f"{above / 'empty'} holds no study, no comparison and no genotype.json"
    )


def test_the_weights_of_a_training_below_are_named_where_they_would_do(tmp_path: Path) -> None:
    """A retraining that was exported as Python leaves no genotype.json."""
    made = ("--to", "python", "--set", "skeleton.filters=4", "--set", "skeleton.image_size=8")
    well(nas("export", "darts-v2", *made, "--out", tmp_path / "full" / "best"))
    assert not (tmp_path / "full" / "best" / "genotype.json").exists()
    for words in (("predict", tmp_path / "full", "photo.png"), ("export", tmp_path / "full")):
        assert nas(*words).sentence.endswith(
            f"no genotype.json; one lies below it, {tmp_path / 'full' / 'best'}"
        )
    assert nas("show", tmp_path / "full").sentence.endswith("no genotype.json")


@pytest.mark.parametrize("name", ["model.onnx", "weights.safetensors", "model.pt2"])
@pytest.mark.parametrize("verb", ["show", "convert"])
def test_a_file_of_a_network_is_no_genotype(tmp_path: Path, name: str, verb: str) -> None:
    (tmp_path / name).write_bytes(b"\x08\x07\xc3")
    words = ("--to", "json") if verb == "convert" else ()
    assert nas(verb, tmp_path / name, *words).sentence == (
        f"{str(tmp_path / name)!r} holds a network or its weights, and no genotype: give the "
        "folder that it was exported to, or the genotype.json there"
    )


def test_a_dataset_that_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("search", "--space", "ladder", "--strategy", "random-search", "--trials", "1")
    for name, word in (
        ("photos", "image-folder:photos"),
        ("my photos", "'image-folder:my photos'"),
    ):
        assert "image-folder:" + name not in nas(*words, "--dataset", name).sentence
        (tmp_path / name).mkdir()
        sentence = nas(*words, "--dataset", name).sentence
        assert sentence.startswith(f"no dataset is called {name!r}; there are ")
        assert sentence.endswith(f"; for the folder of that name say {word}")
    (tmp_path / "digits").mkdir()
    assert open_dataset("digits").name == "digits"


def test_choices_are_asked_for_in_the_space_that_the_genotype_names(searched: Path) -> None:
    sentence = nas("convert", searched, "--to", "choices").sentence
    assert sentence.endswith("name it with --space, say --space nasbench201")
    well(nas("convert", searched, "--to", "choices", "--space", "nasbench201"))
    sentence = nas("convert", "0,1,2", "--to", "choices").sentence
    assert sentence.endswith("say --space nasnet")
