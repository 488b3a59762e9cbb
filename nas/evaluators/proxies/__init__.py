"""What can be said of a network that was never trained: one file a proxy, one function each.

A proxy is a function from an `Untrained` network to a number, higher for what its authors call
better. Whether that is so in the space at hand, `nas audit` measures; none is promised to rank.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.seeding import torch_rng
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class Untrained:
    """A network before its first step, and one batch of training pictures.

    Args:
        build: gives the network anew, on its device, in training mode, its weights as drawn.
        images: (B, C, H, W), normalised.
        labels: (B,).
        seed: of its weights, and of what a proxy draws itself.
    """

    genotype: Genotype
    skeleton: Skeleton
    build: Callable[[], nn.Module]
    images: Tensor
    labels: Tensor
    seed: int

    def rng(self, purpose: str) -> torch.Generator:
        """A generator of its own for this purpose."""
        return torch_rng(self.seed, "proxy", purpose)

    def loss(self, network: nn.Module) -> Tensor:
        """The cross entropy of the batch."""
        return functional.cross_entropy(network(self.images), self.labels)


Proxy = Callable[[Untrained], float]


def weights_of(network: nn.Module) -> list[Tensor]:
    """The weights of convolutions and linear layers: what proxies sum over."""
    return [
        module.weight for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))
    ]


def gradients(
    of: Tensor, weights: list[Tensor], *, again: bool = False
) -> list[tuple[Tensor, Tensor]]:
    """Weights that bear on this number, each with its gradient: what a cell leaves unread has none.

    Args:
        again: the gradients are to be differentiated once more.
    """
    if not of.requires_grad:
        return []
    found = torch.autograd.grad(of, weights, create_graph=again, allow_unused=True)
    pairs = zip(weights, found, strict=True)
    return [(weight, gradient) for weight, gradient in pairs if gradient is not None]
