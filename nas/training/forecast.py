"""What is about to be trained, before it is: the data, the network, and how long an epoch takes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from torch import nn

from nas.training.computation import Computation
from nas.training.datasets import Dataset
from nas.training.failures import TrainingFailure
from nas.training.measurement import peak_memory_mib
from nas.training.recipe import Recipe
from nas.training.trainer import Data, Trainer, steps_per_epoch
from search_spaces.cells.cost import Cost

_LONGEST_SECONDS = 5.0
_ROUNDS = 3  # the first of which warms up
_MOST_ROUNDS, _ENOUGH_SECONDS = 12, 1.0  # of a foretaste
_JUDGED = 256  # images
# Bytes that a tensor takes in files of weights and of ONNX besides, and texts and drawings.
_ENTRY, _NODES, _PAGES = 110, 900, 40_000
_LEAST, _MOST = 0.8, 1.3  # other steps are faster or slower than those that were timed


def data_told(dataset: Dataset, data: Data) -> str:
    """The data in a line: classes, pictures of each split, their size, what was left out."""
    test = "?" if dataset.test_images is None else f"{dataset.test_images:,}"
    pictures = f"{len(data.train):,} / {len(data.val):,} / {test}"
    left_out = f", {dataset.left_out:,} left out" if dataset.left_out else ""
    return (
        f"{dataset.name}: {dataset.classes} classes, {pictures} pictures to train / "
        f"validate / test, {dataset.image_size}x{dataset.image_size}{left_out}"
    )


def network_told(cost: Cost, computation: Computation | None) -> str:
    """The network in a line: its size, and how it is computed, where that is known."""
    size = f"{cost.params:,} params, {cost.macs:,} macs"
    if computation is None:
        return size
    device = computation.device
    if device == "cpu":
        device += f", {computation.threads} thread{'s' if computation.threads > 1 else ''}"
    return f"{size}; {device}, {computation.precision}"


def seconds_of_epoch(
    network: nn.Module, data: Data, recipe: Recipe, computation: Computation
) -> tuple[float, float] | None:
    """The least and the most that an epoch may take, from a few steps of this network, which is
    of no use afterwards; None where it cannot be trained, which its training will say."""
    count = min(recipe.batch_size, len(data.train))
    few = Data(data.train.fewer(count), data.val.fewer(min(32, len(data.val))), data.mean, data.std)
    began = time.monotonic()
    try:
        trainer = Trainer(
            network,
            few,
            replace(recipe, epochs=_ROUNDS, train_images=None),
            seed=0,
            computation=computation,
        )
        curve = trainer.run(lambda *_: time.monotonic() - began < _LONGEST_SECONDS)
    except TrainingFailure:
        return None

    whole = []
    for metrics in curve[1:] or curve:
        learning = 1 / metrics["images_per_second"]
        judging = (metrics["seconds"] - count * learning) / len(few.val)
        steps = steps_per_epoch(recipe, len(data.train)) * count
        whole.append(steps * learning + len(data.val) * judging)
    return _LEAST * min(whole), _MOST * max(whole)


@dataclass(frozen=True, slots=True)
class Foretaste:
    """What a whole training will take, from a few steps of it.

    Args:
        memory_mib: at the peak, with the images where these lie on the device.
    """

    seconds: float
    memory_mib: float


def foretaste(
    network: nn.Module, data: Data, recipe: Recipe, computation: Computation
) -> Foretaste:
    """Train a few steps of this network, which is of no use afterwards, on full batches; what goes
    wrong is raised."""
    count = min(recipe.batch_size, len(data.train))
    judged = min(_JUDGED, len(data.val))
    few = Data(data.train.fewer(count), data.val.fewer(judged), data.mean, data.std)
    began = time.monotonic()
    trainer = Trainer(
        network,
        few,
        replace(recipe, epochs=_MOST_ROUNDS, train_images=None),
        seed=0,
        computation=computation,
    )
    curve = trainer.run(
        lambda epoch, _: epoch < _ROUNDS or time.monotonic() - began < _ENOUGH_SECONDS
    )

    rest = curve[1:]  # the first warms up
    learning = sum(1 / each["images_per_second"] for each in rest) / len(rest)
    seconds = sum(each["seconds"] for each in rest) / len(rest)
    judging = (seconds - count * learning) / judged
    steps = steps_per_epoch(recipe, len(data.train)) * count
    epoch = steps * learning + len(data.val) * judging

    device = computation.torch_device
    images = 0 if device.type == "cpu" else data.train.pixels.nbytes + data.val.pixels.nbytes
    return Foretaste(recipe.epochs * epoch, peak_memory_mib(device) + images / 2.0**20)


def files_mib(network: nn.Module) -> tuple[float, float]:
    """What the weights take on disk, and what the export of the network takes: weights again, and
    ONNX."""
    tensors = network.state_dict().values()
    numbers = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    kept = numbers + _ENTRY * len(tensors)
    return kept / 2**20, (kept + numbers + _NODES * len(tensors) + _PAGES) / 2**20
