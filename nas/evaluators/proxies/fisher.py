"""Fisher information of activations (Turner et al. 2020, equation 3), as Abdelfattah et al. use
it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas.evaluators.proxies import Untrained


def fisher(child: Untrained) -> float:
    """Half the squared sum of activation x gradient, mean over images, summed over channels."""
    network, found = child.build(), list[Tensor]()

    def watch(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        if output.requires_grad:
            activation = output.detach().clone()  # it may be written over later
            output.register_hook(  # type: ignore[no-untyped-call]
                lambda gradient: found.append(_of_layer(activation, gradient))
            )

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(watch)
    child.loss(network).backward()  # type: ignore[no-untyped-call]
    return float(torch.stack(found).sum()) if found else 0.0


def _of_layer(activation: Tensor, gradient: Tensor) -> Tensor:
    product = (activation * gradient).flatten(2) if activation.ndim > 2 else activation * gradient
    per_channel = product.sum(2) if activation.ndim > 2 else product
    return per_channel.square().mean(0).sum() / 2
