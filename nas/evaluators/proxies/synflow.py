"""Synaptic flow (Tanaka et al. 2020, equation 3), in double precision: its products overflow."""

from __future__ import annotations

import math

import torch

from nas.evaluators.proxies import Untrained, gradients, weights_of


def synflow(child: Untrained) -> float:
    """The logarithm of what flows through the absolute weights from an image of ones.

    Batch norms stand aside (in evaluation, before any training, they change nothing).
    """
    network = child.build().double().eval()
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.abs_()
    ones = torch.ones_like(child.images[:1], dtype=torch.float64)
    found = gradients(network(ones).sum(), weights_of(network))
    return math.log1p(sum(float((weight.detach() * gradient).sum()) for weight, gradient in found))
