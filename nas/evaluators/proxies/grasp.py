"""GraSP (Wang et al. 2020, equation 8), summed over a network as Abdelfattah et al. do."""

from __future__ import annotations

import torch

from nas.evaluators.proxies import Untrained, gradients, weights_of


def grasp(child: Untrained) -> float:
    """What the gradient's norm would lose without each weight: -weight x (Hessian gradient)."""
    network = child.build()
    first = gradients(child.loss(network), weights_of(network), again=True)
    if not first:
        return 0.0
    parts = [(gradient.detach() * gradient).sum() for _, gradient in first]
    second = gradients(torch.stack(parts).sum(), [weight for weight, _ in first])
    return 0.0 - sum(float((weight.detach() * curvature).sum()) for weight, curvature in second)
