"""How every reference network is initialised: He et al. 2015 for convolutions, LeCun et al. 1998
for linear layers."""

import torch
from torch import nn


def draw_weights(network: nn.Module, generator: torch.Generator) -> None:
    """Set every parameter and buffer, in the order of the modules; the generator is the only
    randomness.

    The papers differ here (fixed deviations, Xavier, truncated normals). One rule for all keeps the
    arms of a comparison alike, and it is the one that keeps the signal's size through VGG-16, which
    has no normalization.
    """
    for module in network.modules():
        match module:
            case nn.Conv2d():
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                _clear(module.bias)
            case nn.Linear():
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear", generator=generator)
                _clear(module.bias)
            case nn.BatchNorm2d():
                module.reset_parameters()
            case _:
                own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
                assert not own, f"{type(module).__name__} has weights that nobody draws"


def _clear(bias: torch.Tensor | None) -> None:
    if bias is not None:
        nn.init.zeros_(bias)
