"""What travels with weights so that they can be used on pictures: names of classes, mean and
deviation of pixels."""

from __future__ import annotations

from pathlib import Path

from nas.contracts import Json
from nas.training.datasets import Dataset

_CIFAR_10 = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def class_names(dataset: Dataset) -> tuple[str, ...]:
    """What the classes are called, where anybody knows."""
    kind, _, folder = dataset.name.partition(":")
    if kind == "image-folder":
        from nas.training.datasets.image_folder import names_of_classes

        return names_of_classes(Path(folder))
    if kind == "cifar10":
        return _CIFAR_10
    return tuple(map(str, range(10))) if kind == "digits" else ()


def labels_of(dataset: Dataset) -> dict[str, Json]:
    """The labels of a dataset as JSON."""
    names = class_names(dataset)
    classes = list(names) if len(names) == dataset.classes else []
    return {"classes": classes, "mean": list(dataset.mean), "std": list(dataset.std)}
