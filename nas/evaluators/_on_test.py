"""The test split, read for the winner of a finished study with the weights it ended with; a search
never comes here."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from torch import nn

from nas.errors import NasError, NotJudged
from nas.training.checkpoint import read_weights
from nas.training.computation import Computation
from nas.training.datasets import Dataset, Images
from nas.training.final_split import FinalSplit
from nas.training.judging import judged


def accuracy_on_test(
    network: nn.Module, weights: Path, dataset: Dataset, computation: Computation
) -> float:
    """The share of right answers of this network with these weights; NotJudged where one of the two
    cannot be had."""
    images = _test_images(dataset)
    try:
        network.load_state_dict(read_weights(weights)[0])
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as problem:
        raise NotJudged(
            f"{weights} does not hold its weights ({_line(problem)}); bring the file back"
        ) from problem
    network.to(computation.torch_device, memory_format=computation.memory_format)  # type: ignore[call-overload]
    return judged(network, images, dataset, computation).top_1


def _test_images(dataset: Dataset) -> Images:
    """Own datasets may have no test split, and say so in any way; a folder may have lost it
    since."""
    try:
        images = FinalSplit(dataset).load()
    except Exception as problem:
        raise NotJudged(
            f"the test split of {dataset.name} cannot be read: {_line(problem)}"
        ) from problem
    if not len(images):
        raise NotJudged(f"the test split of {dataset.name} holds no images")
    return images


def _line(problem: Exception) -> str:
    words = str(problem).strip()
    return (
        words.splitlines()[0]
        if isinstance(problem, NasError)
        else f"{type(problem).__name__} {words}".strip()[:200]
    )
