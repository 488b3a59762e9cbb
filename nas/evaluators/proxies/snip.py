"""SNIP (Lee et al. 2019, equation 3), summed over a network as Abdelfattah et al. do."""

from __future__ import annotations

from nas.evaluators.proxies import Untrained, gradients, weights_of


def snip(child: Untrained) -> float:
    """How much the loss hangs on each weight: |weight x gradient|, summed."""
    network = child.build()
    found = gradients(child.loss(network), weights_of(network))
    return sum(float((weight.detach() * gradient).abs().sum()) for weight, gradient in found)
