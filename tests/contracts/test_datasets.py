"""What every dataset promises, over whatever datasets there are."""

from pathlib import Path

import pytest

from nas import registry
from nas.testing.dataset_promises import (
    DATASET_PROMISES,
    keeps_shares,
    knows_its_pixels,
    shares_no_image,
)
from nas.testing.promises import Promise
from nas.training.datasets import Dataset, open_dataset
from parts.dataset_files import write_cifar, write_pictures

# What cannot be said of the files made here, and why.
EXCUSED = {
    ("cifar10", knows_its_pixels): "the files here are not the real ones",
    ("cifar10-16", knows_its_pixels): "the files here are not the real ones",
    ("cifar100", knows_its_pixels): "the files here are not the real ones",
    ("cifar10", shares_no_image): "the files here hold few different images",
    ("cifar10-16", shares_no_image): "the files here hold few different images",
    ("cifar100", shares_no_image): "the files here hold few different images",
    ("image-folder", shares_no_image): "the files here hold few different images",
    ("noise", keeps_shares): "labels of noise are drawn for each split by themselves",
}


@pytest.fixture(params=registry.names("dataset"))
def named(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, Dataset]:
    monkeypatch.setenv("NAS_DATA", str(tmp_path / "cache"))
    name = request.param
    if name.startswith("cifar"):
        write_cifar(tmp_path, name)
        return name, open_dataset(name, tmp_path)
    if name == "image-folder":
        write_pictures(tmp_path / "pictures")
        return name, open_dataset(f"image-folder:{tmp_path / 'pictures'}")
    return name, open_dataset(name)


@pytest.mark.parametrize("promise", DATASET_PROMISES, ids=lambda promise: promise.__name__)
def test_every_dataset(promise: Promise, named: tuple[str, Dataset]) -> None:
    name, dataset = named
    if (name, promise) in EXCUSED:
        pytest.skip(EXCUSED[name, promise])
    promise(dataset)
