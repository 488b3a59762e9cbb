"""Gradient norms (Abdelfattah et al. 2021, "Zero-Cost Proxies for Lightweight NAS", 3.2)."""

from __future__ import annotations

from nas.evaluators.proxies import Untrained, gradients, weights_of


def grad_norm(child: Untrained) -> float:
    """The norms of the gradients of all weights, summed."""
    network = child.build()
    found = gradients(child.loss(network), weights_of(network))
    return sum(float(gradient.norm()) for _, gradient in found)
