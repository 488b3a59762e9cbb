"""The test split, read for the winner of a finished study with the weights it ended with; a search never comes here."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from torch import nn

from nas.datasets import Dataset, DatasetError
from nas.errors import StudyError
from nas.final_split import FinalSplit
from nas.training.augment import Source
from nas.training.checkpoint import read_weights
from nas.training.computation import Computation
from nas.training.recipe import Recipe
from nas.training.trainer import evaluated


def accuracy_on_test(network: nn.Module, weights: Path, dataset: Dataset, computation: Computation) -> float | None:
    """The share of right answers of this network with these weights; None where the dataset has no test split."""
    try:
        images = FinalSplit(dataset).load()
    except DatasetError:
        return None
    try:
        network.load_state_dict(read_weights(weights)[0])
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as problem:
        raise StudyError(
            f"the winner cannot be judged: {weights} does not hold its weights ({str(problem).splitlines()[0]}); "
            "restore the file, or remove it and the winner is left unjudged"
        ) from problem
    with computation.active():
        network = network.to(computation.torch_device, memory_format=computation.memory_format)  # type: ignore[call-overload]
        source = Source(images, dataset.mean, dataset.std, Recipe(), computation.torch_device)
        return evaluated(network, source, computation)[1]
