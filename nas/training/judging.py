"""How good a trained network is on one split: top-1, top-5 and loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.training.augment import Source
from nas.training.computation import Computation
from nas.training.datasets import Dataset, Images
from nas.training.recipe import Recipe

_PIXELS = 2**18  # of a batch, whatever the size of its images

TOP_5_NEEDS = 6  # classes: of five or fewer every top-5 is right


@dataclass(frozen=True, slots=True)
class Judgement:
    """Shares of right answers, and the mean loss; with five classes or fewer, top-5 is always 1."""

    top_1: float
    top_5: float
    loss: float
    images: int


def judged(
    network: nn.Module, images: Images, dataset: Dataset, computation: Computation
) -> Judgement:
    """Judge a network on these images."""
    source = Source(images, dataset.mean, dataset.std, Recipe(), computation.torch_device)
    network.eval()
    loss, first, fifth = 0.0, 0, 0
    with computation.active(), torch.inference_mode(), computation.autocast():
        for logits, labels in _answers(network, source):
            loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
            best = logits.topk(min(5, logits.shape[1])).indices == labels[:, None]
            first += int(best[:, 0].sum())
            fifth += int(best.any(1).sum())
    return Judgement(first / len(source), fifth / len(source), loss / len(source), len(source))


def _answers(network: nn.Module, source: Source) -> Iterator[tuple[Tensor, Tensor]]:
    for images, labels in source.plain_batches(min(max(_PIXELS // source.image_size**2, 16), 1024)):
        yield network(images).float(), labels
