"""The covariance of Jacobians (Mellor et al. 2020, version 1, section 3)."""

from __future__ import annotations

import torch

from nas.evaluators.proxies import Untrained

_SHIFT = 1e-5  # as in the authors' code


def jacov(child: Untrained) -> float:
    """How little the gradients of the images resemble each other."""
    network, images = child.build(), child.images.clone().requires_grad_()
    (found,) = torch.autograd.grad(network(images).sum(), images, allow_unused=True)
    jacobian = torch.zeros_like(images) if found is None else found  # nothing of them flows
    correlations = torch.corrcoef(jacobian.flatten(1).double().cpu()).nan_to_num()
    spread = torch.linalg.eigvalsh(correlations).clamp(min=0) + _SHIFT
    return -float((spread.log() + 1 / spread).sum())
