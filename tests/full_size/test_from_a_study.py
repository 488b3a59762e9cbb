"""Retrain and transfer of a study take up its own data: the way from own pictures to a trained
network, by copying what is printed."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from nas.full_size.data import DataWish
from nas.full_size.fit import fit_recipe
from nas.full_size.wish import RetrainWish, TransferWish, retraining_of, transfer_of
from nas.registry import load
from nas.training.datasets import Dataset, Images, open_dataset
from nas.training.datasets.cifar100 import cifar100
from nas.training.datasets.digits_hard import digits_hard
from parts.command_line import ended, nas, started
from parts.picture_folders import coloured

SEARCH = ("--space", "nasnet", "--strategy", "random-search", "--trials", "1", "--device", "cpu")
SMALL = ("recipe.epochs=1", "skeleton.filters=4", "skeleton.cells_per_stage=1")
TINY = tuple(word for each in SMALL for word in ("--set", each))
ODD = "my pictures & <b>more</b>"


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A study of a folder of pictures with an odd name and a file that is none; and its `next:`."""
    home = tmp_path_factory.mktemp("home")
    pictures = coloured(home / ODD)
    (pictures / "train" / "red" / "torn & <i>.png").write_text("no picture")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_DATA", str(home / "cache"))
        patch.chdir(home)
        found = nas(
            *("search", "--dataset", f"image-folder:{ODD}", "--skip-corrupt", *SEARCH, *TINY),
            *("--out", "results/a study", "--to", "json"),
        )
    assert found.code == 0, found.err
    lines = found.out.split("next:\n")[1].splitlines()
    return home, [line.strip() for line in lines]


@pytest.fixture
def home(searched: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the search was started, with its cache."""
    monkeypatch.setenv("NAS_DATA", str(searched[0] / "cache"))
    monkeypatch.chdir(searched[0])
    return searched[0]


def test_the_line_that_a_search_prints_retrains_on_its_pictures(
    searched: tuple[Path, list[str]], home: Path
) -> None:
    (line,) = (line for line in searched[1] if line.startswith("nas retrain "))
    words = (*TINY, "--seeds", "1", "--to", "python", "--device", "cpu", "--out", home / "r")
    answer = nas(*shlex.split(line)[1:], *words)
    assert answer.code == 0, answer.err
    settings = json.loads((home / "r" / "retrain.json").read_text())
    assert settings["dataset"] == f"image-folder:{ODD}"
    assert settings["recipe"]["crop"] == "resized"  # the preset that fits pictures, not CIFAR's
    assert '("blue", "green", "red",)' in (home / "r" / "best" / "model.py").read_text()


def test_a_transfer_of_a_study_learns_from_its_pictures(home: Path) -> None:
    words = ("--to", "none", "--device", "cpu", "--runner", "local", "--json", "--out", home / "t")
    answer = nas("transfer", "results/a study", *TINY, *words)
    assert answer.code == 0, answer.err
    settings = json.loads((home / "t" / "transfer.json").read_text())
    assert settings["dataset"] == f"image-folder:{ODD}"


@pytest.mark.parametrize("verb", ["retrain", "transfer"])
def test_a_folder_of_other_settings_is_refused_before_anything_is_said_or_timed(
    verb: str, home: Path
) -> None:
    (home / verb).mkdir()
    (home / verb / f"{verb}.json").write_text('{"mode": "other"}')
    answer = nas(verb, "results/a study", "--device", "cpu", "--to", "none", "--out", home / verb)
    assert "was begun with other settings" in answer.sentence
    assert len(answer.err.splitlines()) == 1


def test_what_the_user_says_comes_first(home: Path) -> None:
    study, wanted = "results/a study", DataWish(image_size=16)
    setting, entrants = retraining_of(study, RetrainWish(data=wanted))
    assert (setting.dataset.image_size, entrants[0][1].image_size) == (16, 16)
    assert entrants[0][1].classes == 3
    there = json.loads((home / study / "study.json").read_text())["measured"]["data"]
    same, _ = retraining_of(study, RetrainWish())
    assert same.fingerprint == there
    assert same.recipe.epochs == 100  # few pictures, so many epochs of few steps
    other, _ = retraining_of(study, RetrainWish(data=DataWish(dataset="digits")))
    assert other.dataset.name == "digits"
    assert other.recipe.epochs == 6  # of its own preset
    large, _ = transfer_of(study, None, TransferWish(preset="imagenet-mobile"))
    assert large.setting.dataset.image_size == 224
    small = transfer_of(study, None, TransferWish(data=wanted))[0]
    assert small.setting.dataset.image_size == 16


def test_torn_pictures_are_refused_where_nobody_skipped_them(home: Path) -> None:
    words = ("--dataset", f"image-folder:{ODD}", "--device", "cpu")
    retrained = ("retrain", "nasnet-a", *words, "--out", "x")
    for command in (
        retrained,
        ("transfer", "nasnet-a", *words, "--out", "x"),
        ("evaluate", "nasnet-a", *words),
        ("search", *words, "--trials", "1", "--out", "x"),
        ("compare", "--strategies", "random-search", *words, "--trials", "1", "--out", "x"),
        ("tabulate", "--space", "nasbench201", *words, "--out", "x.csv"),
    ):
        assert "1 image cannot be decoded" in nas(*command).sentence, command
    assert "is 'many'" in nas(*retrained, "--skip-corrupt", "--set", "recipe.epochs=many").sentence


def test_a_genotype_alone_says_nothing_of_data(home: Path) -> None:
    assert "nothing says what to train on: give --dataset" in nas("transfer", "nasnet-a").sentence
    sentence = nas("retrain", "nasnet-a", "--data-dir", str(home / "none")).sentence
    assert "cifar-10" in sentence  # the usual preset's


def test_children_of_a_search_fit_the_pictures(home: Path) -> None:
    small, large = (
        open_dataset(f"image-folder:{ODD}", image_size=size, skip_corrupt=True)
        for size in (12, 112)
    )
    (one,), (other,) = small.presets.values(), large.presets.values()
    assert (one.skeleton["layout"], other.skeleton["layout"]) == ("cifar", "imagenet")
    assert (one.recipe.epochs, one.recipe.batch_size) == (20, 16)
    assert (one.recipe.crop_margin, other.recipe.crop_margin) == (1, 14)
    train = load("evaluator", "train")(load("space", "nasnet")(), dataset=f"image-folder:{ODD}",
                                       image_size=112, skip_corrupt=True, device="cpu")  # fmt: skip
    assert (train.skeleton.layout, train.recipe) == ("imagenet", other.recipe)


def test_epochs_fit_the_number_of_pictures() -> None:
    assert fit_recipe(open_dataset("noise")).epochs == 100
    assert fit_recipe(open_dataset("digits")).epochs == 100  # 997 pictures, each seen 100 times
    assert fit_recipe(many(2_500)).epochs == 40
    assert fit_recipe(many(5_000)).epochs == fit_recipe(many(50_000)).epochs == 20


def many(count: int) -> Dataset:
    def read(split: str, data_dir: Path | None) -> Images:
        return Images(np.zeros((count, 1, 1, 1), np.uint8), np.zeros(count, np.int64))

    return Dataset(f"many-{count}", 2, 8, 1, (0.5,), (0.5,), read)


def test_every_dataset_of_ours_that_has_names_says_them() -> None:
    assert digits_hard.class_names == tuple("0123456789")
    assert len(set(cifar100.class_names)) == 100
    assert list(cifar100.class_names) == sorted(cifar100.class_names)
    assert cifar100.labels["classes"][-1] == "worm"


OWN = """
from search_spaces.cells.blocks import BlockSpace
from search_spaces.cells.layers import conv_bn
from search_spaces.cells.ops import op


@op
def plain_3x3(channels, filters, stride, style):
    return conv_bn(channels, filters, 3, style, stride=stride)


class Mine(BlockSpace):
    name = "mine"

    def __init__(self):
        super().__init__(blocks=1, ops=("plain_3x3",), combines=("add",))
"""


@pytest.mark.parametrize("verb", ["retrain", "transfer"])
def test_trust_brings_the_operations_of_the_studys_space(verb: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    small = ("--set", "recipe.epochs=1", "--set", "recipe.train_images=40", "--to", "none")
    search = ("search", "--space", "mine:Mine", "--evaluator", "landscape", "--trials", "1")
    found = ended(started(*search, "--out", "study", cwd=tmp_path))
    assert found.code == 0, found.err

    words = (verb, "study", "--dataset", "digits", "--device", "cpu", *small, "--out", "out")
    refused = ended(started(*words, cwd=tmp_path))
    assert "plain_3x3" in refused.sentence
    answer = ended(started(*words, "--trust", cwd=tmp_path))
    assert answer.code == 0, answer.err
    assert list((tmp_path / "out").rglob("weights.safetensors"))


def test_a_comparison_is_evaluated_on_what_its_arms_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = ("--set", "recipe.epochs=1", "--set", "recipe.train_images=40")
    arms = ("--strategies", "random-search", "--seeds", "1", "--trials", "1", "--no-report")
    words = ("--space", "ladder", "--dataset", "digits-hard", *arms, "--out", "all")
    assert nas("compare", *words, *quick).code == 0
    answer = nas("evaluate", "all", *quick)
    assert answer.code == 0, answer.err
    assert " on digits-hard (" in answer.out
