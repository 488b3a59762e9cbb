"""The Zen-score (Lin et al. 2021, algorithm 1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nas.errors import SettingsError
from nas.evaluators.proxies import Untrained
from search_spaces.cells.cell import State

_MIXED = 1e-2  # how much noise is mixed in, as in the authors' code
_LEAST = 1e-30


def zen(child: Untrained) -> float:
    """How much the last map moves with a little noise, in logarithms, and what batch norms took
    away. Weights and images are Gaussian."""
    network, rng = child.build(), child.rng("zen")
    scales: list[Tensor] = []
    maps: list[Tensor] = []

    def normalised(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        scales.append(inputs[0].var(dim=(0, 2, 3), unbiased=False).mean().sqrt())

    def put_out(_module: nn.Module, inputs: tuple[State | Tensor, ...]) -> None:
        last = inputs[0]
        maps.append(last.map.clone() if isinstance(last, State) else last)

    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim > 1:
                weight.copy_(torch.randn(weight.shape, generator=rng))
        image, noise = (torch.randn(child.images.shape, generator=rng) for _ in range(2))
        _head_of(network).register_forward_pre_hook(put_out)
        network(image.to(child.images) + _MIXED * noise.to(child.images))
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.register_forward_pre_hook(normalised)
        network(image.to(child.images))

    moved = float((maps[1] - maps[0]).abs().sum(dim=(1, 2, 3)).mean())
    return math.log(moved + _LEAST) + sum(math.log(float(scale) + _LEAST) for scale in scales)


def _head_of(network: nn.Module) -> nn.Module:
    head = dict(network.named_children()).get("head")
    if head is None:
        raise SettingsError(
            f"proxy zen looks at what enters a network's `head`, but {type(network).__name__} has "
            "none; choose another proxy"
        )
    return head
