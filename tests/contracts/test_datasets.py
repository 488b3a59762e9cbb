"""What every dataset promises: fixed stratified splits of uint8 squares, and a test split behind
its handle."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from nas import registry
from nas.training.datasets import Dataset, DatasetError, open_dataset, preset
from nas.training.final_split import FinalSplit
from parts.dataset_files import write_cifar, write_pictures

NAMES = registry.names("dataset")


@pytest.fixture(params=NAMES)
def dataset(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Dataset:
    monkeypatch.setenv("NAS_DATA", str(tmp_path / "cache"))
    if request.param.startswith("cifar"):
        write_cifar(tmp_path, request.param)
        return open_dataset(request.param, tmp_path)
    if request.param == "image-folder":
        write_pictures(tmp_path / "pictures")
        return open_dataset(f"image-folder:{tmp_path / 'pictures'}")
    return open_dataset(request.param)


def test_splits_are_square_bytes_with_known_labels(dataset: Dataset) -> None:
    shape = (dataset.image_size, dataset.image_size, dataset.channels)
    for images in (dataset.load("train"), dataset.load("val"), FinalSplit(dataset).load()):
        assert images.pixels.dtype == np.uint8
        assert images.pixels.shape == (len(images), *shape)
        assert images.labels.dtype == np.int64
        assert set(np.unique(images.labels)) <= set(range(dataset.classes))
        assert len(images) > 0


def test_mean_and_std_are_those_of_the_training_pixels(dataset: Dataset) -> None:
    assert len(dataset.mean) == len(dataset.std) == dataset.channels
    if not dataset.name.startswith("cifar"):  # the files here are not the real ones
        pixels = dataset.load("train").pixels / 255
        np.testing.assert_allclose(pixels.mean(axis=(0, 1, 2)), dataset.mean, atol=0.01)
        np.testing.assert_allclose(pixels.std(axis=(0, 1, 2)), dataset.std, atol=0.01)


def test_the_same_split_comes_every_time(dataset: Dataset) -> None:
    again = pickle.loads(pickle.dumps(dataset))
    assert again == dataset
    for split in ("train", "val", "test"):
        first, second = dataset.read(split, dataset.data_dir), again.read(split, again.data_dir)
        np.testing.assert_array_equal(first.pixels, second.pixels)
        np.testing.assert_array_equal(first.labels, second.labels)


def test_a_search_cannot_load_the_test_split(dataset: Dataset) -> None:
    with pytest.raises(DatasetError, match="a search sees the splits train and val"):
        dataset.load("test")  # type: ignore[arg-type]


def test_classes_keep_their_shares(dataset: Dataset) -> None:
    if dataset.name.startswith("noise"):
        pytest.skip("labels of noise are drawn for each split by themselves")
    train, val = (
        np.bincount(dataset.load(s).labels, minlength=dataset.classes) for s in ("train", "val")
    )
    shares = (train + val) / (train + val).sum()
    assert np.abs(val - shares * val.sum()).max() < 2


def test_its_preset_is_there(dataset: Dataset) -> None:
    assert preset(dataset.preset, dataset).recipe.epochs > 0
    assert isinstance(hash(dataset), int)
    assert len(dataset.fingerprint) == 16
