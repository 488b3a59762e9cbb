"""What is exported of trained children is right on real pictures, and says so where nobody
knows."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from nas.exporting.choosing import choices, subject_of
from nas.exporting.networks import predict
from nas.exporting.subject import fresh_network
from nas.registry import load
from nas.seeding import numpy_rng
from nas.training.checkpoint import read_weights, save_weights
from nas.training.datasets import open_dataset
from nas.training.datasets.digits import digits
from parts.command_line import nas
from parts.exported_networks import enliven, module_of
from parts.picture_folders import COLOURS, coloured
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton

TINY = (
    "--space",
    "ladder",
    "--strategy",
    "random-search",
    "--device",
    "cpu",
    "--set",
    "recipe.epochs=1",
    "--set",
    "recipe.train_images=32",
    "--set",
    "skeleton.filters=4",
    "--set",
    "skeleton.cells_per_stage=1",
)


def genotype(number: int = 0) -> Genotype:
    drawn: Genotype = load("space", "ladder")().sample(numpy_rng(5, "export", number))
    return drawn


def weights_of(file: Path, drawn: Genotype, **facts: object) -> Path:
    """A file of weights as a training leaves them."""
    skeleton = Skeleton(cells_per_stage=1, filters=4, image_size=8, channels=3, classes=3)
    network = fresh_network(drawn, skeleton)
    enliven(network)
    save_weights(
        file, network, {"genotype": drawn.to_dict(), "skeleton": asdict(skeleton), **facts}
    )
    return file


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coloured(tmp_path_factory.mktemp("pictures") / "colours")


@pytest.fixture(scope="module")
def searched(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study on a folder of pictures, its winner exported."""
    folder = tmp_path_factory.mktemp("searched") / "study"
    words = (
        "--dataset",
        f"image-folder:{pictures}",
        "--trials",
        "1",
        "--out",
        folder,
        "--to",
        "python,json",
    )
    answer = nas("search", *TINY, *words)
    assert answer.code == 0, answer.err
    return folder


def test_the_winner_of_pictures_sees_them_as_in_its_training(
    searched: Path, pictures: Path
) -> None:
    data = open_dataset(f"image-folder:{pictures}")
    module = module_of(searched / "best" / "model.py")
    assert (data.mean, data.std, COLOURS) == (module.MEAN, module.STD, module.NAMES)
    pixels = torch.from_numpy(data.load("val").pixels.copy())
    expected = (pixels / 255 - torch.tensor(data.mean)) / torch.tensor(data.std)
    ours = subject_of(choices(str(searched))[0])
    with torch.inference_mode():
        logits = module.build()(module.normalised(pixels))
        assert torch.equal(logits, ours.network(expected.permute(0, 3, 1, 2).contiguous()))
    card = (searched / "best" / "README.md").read_text()
    assert "## Classes, in order\n\n    0  blue\n    1  green\n    2  red\n" in card
    assert "not known" not in card


def test_the_winner_of_pictures_names_what_it_sees(searched: Path, pictures: Path) -> None:
    answer = nas("predict", searched, pictures / "val" / "red" / "0.png", "--json")
    assert {guess["name"] for guess in answer.json["predictions"][0]["classes"]} == set(COLOURS)
    assert answer.json["pixels_known"] is True
    assert answer.err == ""


def test_kept_weights_carry_labels_that_do_not_decide_what_is_resumed(tmp_path: Path) -> None:
    train = load("evaluator", "train")(
        load("space", "ladder")(), dataset="digits", device="cpu",
        recipe={"epochs": 1, "train_images": 32}, skeleton={"filters": 4, "cells_per_stage": 1},
    )  # fmt: skip
    train.evaluate(genotype(), seed=1, workdir=tmp_path, report=lambda *_: True)
    facts = read_weights(tmp_path / "keep" / "weights.safetensors")[1]
    assert facts["classes"] == [str(number) for number in range(10)]
    assert (tuple(facts["mean"]), tuple(facts["std"])) == (digits.mean, digits.std)
    assert not {"classes", "mean", "std"} & set(train._facts(genotype()))


def test_pixels_of_which_nothing_is_known_are_not_made_up(tmp_path: Path, pictures: Path) -> None:
    file = weights_of(tmp_path / "w.safetensors", genotype(), dataset="mine:somewhere")
    assert nas("export", file, "--to", "python", "--out", tmp_path / "out").code == 0
    assert (
        "mean and deviation of its training pixels are not known"
        in (tmp_path / "out" / "README.md").read_text()
    )
    assert "normalised by MEAN" not in (tmp_path / "out" / "model.py").read_text()
    answer = nas("predict", file, pictures / "val" / "red" / "0.png")
    assert answer.err.startswith(
        "the weights do not say the mean and deviation of their training pixels"
    )
    assert (
        nas("predict", file, pictures / "val" / "red" / "0.png", "--json").json["pixels_known"]
        is False
    )


def test_one_picture_may_be_given_alone(pictures: Path, tmp_path: Path) -> None:
    file = weights_of(tmp_path / "w.safetensors", genotype(), mean=[0.5] * 3, std=[0.2] * 3)
    picture = next(iter(sorted(pictures.rglob("*.png"))))
    (wanted,) = predict(file, [picture])
    assert predict(file, picture) == predict(file, str(picture)) == [wanted]
