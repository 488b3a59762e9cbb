"""The weights a network is born with, drawn from a generator of its own."""

from __future__ import annotations

import math

import torch
from torch import nn

_WITHIN_TWO = math.erf(
    math.sqrt(2.0)
)  # the share of a normal distribution within two standard deviations


def initialize(network: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draws every convolution and linear layer as slim does: He, fan-out, truncated normal; biases
    are zero.

    Without a generator the weights are always the same; the global generator is never touched. The
    numbers do not depend on the device the network is on. Nothing is drawn on the meta device.
    """
    generator = generator or torch.Generator()
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            _draw(module, generator)


@torch.no_grad()
def _draw(module: nn.Conv2d | nn.Linear, generator: torch.Generator) -> None:
    weight = module.weight
    if weight.is_meta:
        return
    groups = module.groups if isinstance(module, nn.Conv2d) else 1
    fan_out = weight.numel() // weight.shape[1] // groups
    # The 1.3 makes up for what truncation at two standard deviations takes from the variance
    # (slim's constant).
    deviation = math.sqrt(1.3 * 2.0 / fan_out)
    drawn = torch.empty(weight.shape, dtype=torch.float32, device=generator.device)
    drawn.uniform_(-_WITHIN_TWO, _WITHIN_TWO, generator=generator).erfinv_().mul_(
        math.sqrt(2.0) * deviation
    )
    weight.copy_(drawn)
    if module.bias is not None:
        module.bias.zero_()
