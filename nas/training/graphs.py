"""Small networks on a GPU wait for launches: a CUDA graph launches a whole forward and backward
pass at once.

The plain path and this one run the same kernels in the same order; only their launching differs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

_WARM_UPS = 3  # libraries choose their kernels in the first passes, which must not be captured

Pass = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@final
class CapturedPass:
    """Forward and backward of batches of one size; gradients lie in the parameters' `grad` after
    each call."""

    def __init__(self, network: nn.Module, one_pass: Pass, images: Tensor, labels: Tensor) -> None:
        self._images, self._labels = images.clone(), labels.clone()
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        aside = torch.cuda.Stream(images.device)  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream(images.device))
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                one_pass(self._images, self._labels)
        torch.cuda.current_stream(images.device).wait_stream(aside)
        network.load_state_dict(before)  # warming up moved the statistics of batch norms
        network.zero_grad(set_to_none=True)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._loss, self._right = one_pass(self._images, self._labels)

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and number of right answers of a batch; both are overwritten by the next call."""
        self._images.copy_(images)
        self._labels.copy_(labels)
        self._graph.replay()
        return self._loss, self._right
