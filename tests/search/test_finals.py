"""What a winner is judged by after its search: read once, never the reason to lose a winner, made
up for later."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nas.training.datasets import Dataset, DatasetError, Images, open_dataset
from nas.training.datasets.digits import digits
from parts.command_line import nas
from parts.comparisons import compared
from parts.picture_folders import coloured
from parts.studies import kinds, lines


def wavering(data_dir: Path) -> Dataset:
    """The digits, with a test split only while a file says so."""

    def read(split: str, _: Path | None) -> Images:
        known = {"train", "val", *(["test"] if (data_dir / "test").exists() else [])}
        return {name: digits.read(name, None) for name in known}[split]

    return Dataset("wavering", 10, 8, 1, digits.mean, digits.std, read, "digits-demo")


QUICK = (
    "--space",
    "nasbench201",
    "--strategy",
    "random-search",
    "--device",
    "cpu",
    "--set",
    "evaluator.precision=fp32",
    "--set",
    "evaluator.layout=contiguous",
    "--set",
    "recipe.epochs=1",
    "--set",
    "recipe.train_images=64",
    "--set",
    "skeleton.filters=4",
)


def test_a_winner_that_cannot_be_judged_is_named_all_the_same_and_judged_later(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "study"
    words = (
        "search",
        *QUICK,
        "--dataset",
        "tests.search.test_finals:wavering",
        "--data-dir",
        tmp_path,
        "--trials",
        "2",
    )
    answer = nas(*words, "--to", "none", "--out", folder)
    assert answer.code == 0, answer.err
    assert "    winner: trial " in answer.err
    assert (
        " is not judged until this command is given again: the test split of wavering cannot be "
        "read: "
    ) in answer.err
    assert (folder / "best" / "genotype.json").exists()
    assert "opened" not in kinds(folder)
    (tmp_path / "test").touch()
    assert "test_accuracy 0." in nas(*words, "--to", "none", "--out", folder).out
    assert kinds(folder).count("opened") == 1


def test_a_comparison_makes_up_for_a_winner_that_was_not_judged(tmp_path: Path) -> None:
    out = tmp_path / "all"
    words = (
        "compare",
        *QUICK[:2],
        *QUICK[4:],
        "--dataset",
        "tests.search.test_finals:wavering",
        "--data-dir",
        tmp_path,
    )
    more = ("--strategies", "random-search", "--seeds", "2", "--trials", "2", "--out", out)
    assert nas(*words, *more).code == 0
    text = (out / "report.md").read_text()
    assert "which the searches themselves saw: no winner has a final." in text.replace("\\", "")
    (tmp_path / "test").touch()
    assert nas(*words, *more).code == 0
    assert [kinds(out / "random-search" / f"seed-{seed}").count("opened") for seed in (1, 2)] == [
        1,
        1,
    ]
    assert json.loads((out / "report.json").read_text())["outcome"]["name"] == "test_accuracy"


def test_a_study_that_was_killed_before_its_winner_was_judged_is_judged(tmp_path: Path) -> None:
    compared(tmp_path)
    log = tmp_path / "evolution" / "seed-2" / "events.jsonl"
    whole = log.read_bytes()
    finals = [event for event in lines(log.parent) if event["event"] == "opened"]
    log.write_bytes(whole[: whole.rindex(b'{"event":"opened"')])
    assert compared(tmp_path)
    assert [event for event in kinds(log.parent) if event == "opened"] == ["opened"] * len(finals)


@pytest.mark.parametrize("flat", [True, False])
def test_a_test_folder_without_labelled_pictures_is_refused_before_a_search(
    tmp_path: Path, flat: bool
) -> None:
    from PIL import Image

    root = coloured(tmp_path / "pictures")
    place = root / "test" if flat else root / "test" / "red"
    place.mkdir(parents=True)
    if flat:
        Image.fromarray(np.zeros((12, 12, 3), np.uint8)).save(place / "1.png")
    with pytest.raises(
        DatasetError,
        match=r"test holds no pictures in folders of its classes; sort them into 'blue'",
    ):
        open_dataset(f"image-folder:{root}")
