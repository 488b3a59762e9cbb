"""What every dataset promises: fixed stratified splits of uint8 squares, and a test split behind
its handle."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from nas import registry
from nas.testing.promises import Promise, keep_all
from nas.training.datasets import Dataset, DatasetError, open_dataset, preset
from nas.training.final_split import FinalSplit


def check_dataset(
    part: Any, *, data_dir: Path | None = None, stratified: bool = True, **options: Any
) -> None:
    """Try every promise of a dataset.

    Args:
        part: a record, or its name as on the command line (`my_data:my_dataset`).
        data_dir: where its files lie.
        stratified: whether train and val have the same shares of each class.
        options: of a function that gives the record (`image_size`).
    """
    if isinstance(part, str):
        registry.allow(part)
        part = open_dataset(part, data_dir, **options)
    keep_all([p for p in DATASET_PROMISES if stratified or p is not keeps_shares], part)


def gives_square_bytes(dataset: Dataset) -> None:
    """Each split is some uint8 images (N, H, W, C) of the size it says, and labels below
    `classes`."""
    shape = (dataset.image_size, dataset.image_size, dataset.channels)
    for images in (dataset.load("train"), dataset.load("val"), FinalSplit(dataset).load()):
        assert images.pixels.dtype == np.uint8, images.pixels.dtype
        assert images.pixels.shape == (len(images), *shape), images.pixels.shape
        assert images.labels.dtype == np.int64, images.labels.dtype
        assert set(np.unique(images.labels)) <= set(range(dataset.classes))
        assert len(images) > 0


def knows_its_pixels(dataset: Dataset) -> None:
    """`mean` and `std` are those of the training pixels in 0..1."""
    assert len(dataset.mean) == len(dataset.std) == dataset.channels
    pixels = dataset.load("train").pixels / 255
    np.testing.assert_allclose(pixels.mean(axis=(0, 1, 2)), dataset.mean, atol=0.01)
    np.testing.assert_allclose(pixels.std(axis=(0, 1, 2)), dataset.std, atol=0.01)


def splits_alike(dataset: Dataset) -> None:
    """A pickled record gives the same splits, every time."""
    again = pickle.loads(pickle.dumps(dataset))
    assert again == dataset, "the copy is another: `read` should be at the top of a file"
    for split in ("train", "val", "test"):
        first, second = dataset.read(split, dataset.data_dir), again.read(split, again.data_dir)
        np.testing.assert_array_equal(first.pixels, second.pixels)
        np.testing.assert_array_equal(first.labels, second.labels)


def hides_the_test_split(dataset: Dataset) -> None:
    """A search cannot load the test split."""
    try:
        dataset.load("test")  # type: ignore[arg-type]
    except DatasetError:
        return
    raise AssertionError("it can")


def shares_no_image(dataset: Dataset) -> None:
    """No image of the test split is among those that a search sees."""
    seen = {image.tobytes() for split in ("train", "val") for image in _pixels(dataset, split)}
    tested = [image.tobytes() for image in FinalSplit(dataset).load().pixels]
    shared = sum(image in seen for image in tested)
    assert shared <= len(tested) / 100, f"{shared} of {len(tested)} are"


def keeps_shares(dataset: Dataset) -> None:
    """Train and val have the same shares of each class."""
    train, val = (
        np.bincount(dataset.load(split).labels, minlength=dataset.classes)
        for split in ("train", "val")
    )
    shares = (train + val) / (train + val).sum()
    assert np.abs(val - shares * val.sum()).max() < 2, f"{train} and {val}"


def names_its_classes_and_preset(dataset: Dataset) -> None:
    """Its preset is known, its classes have as many names as there are, or none."""
    assert preset(dataset.preset, dataset).recipe.epochs > 0
    assert len(dataset.class_names) in (0, dataset.classes), dataset.class_names
    assert isinstance(hash(dataset), int)
    assert len(dataset.fingerprint) == 16


def _pixels(dataset: Dataset, split: str) -> Any:
    return dataset.read(split, dataset.data_dir).pixels


DATASET_PROMISES: tuple[Promise, ...] = (
    gives_square_bytes,
    knows_its_pixels,
    splits_alike,
    hides_the_test_split,
    shares_no_image,
    keeps_shares,
    names_its_classes_and_preset,
)
