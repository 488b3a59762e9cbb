"""The running mean of a network's weights, which is judged and kept in place of the last ones (as
in NASNet code)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import torch
from torch import Tensor, nn

_SLOWEST_START = 10  # the mean follows quickly at first: its decay begins at 1/10


@final
class WeightAverage:
    """Follows weights and statistics; `mean` holds them by name."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self.mean = {name: tensor.detach().clone() for name, tensor in _numbers(network).items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after a step."""
        decay = min(self._decay, (1 + step) / (_SLOWEST_START + step))
        numbers = _numbers(network)
        torch._foreach_lerp_(
            list(self.mean.values()), [numbers[name] for name in self.mean], 1 - decay
        )

    @contextmanager
    def applied(self, network: nn.Module) -> Iterator[None]:
        """The network with the mean in place of its weights, for a while."""
        before = {name: tensor.clone() for name, tensor in _numbers(network).items()}
        self.copy_to(network)
        try:
            yield
        finally:
            _copy(before, network)

    def copy_to(self, network: nn.Module) -> None:
        """Put the mean in place of the network's weights."""
        _copy(self.mean, network)


@torch.no_grad()
def _copy(numbers: dict[str, Tensor], network: nn.Module) -> None:
    for name, tensor in _numbers(network).items():
        tensor.copy_(numbers[name])


def _numbers(network: nn.Module) -> dict[str, Tensor]:
    return {
        name: tensor for name, tensor in network.state_dict().items() if tensor.is_floating_point()
    }
