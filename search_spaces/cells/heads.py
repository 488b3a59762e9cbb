"""Where features become logits: the classifier at the end, and the auxiliary one half-way."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search_spaces.cells.cell import State
from search_spaces.cells.layers import Linear, conv_bn
from search_spaces.cells.skeleton import AUXILIARY_POOL, AUXILIARY_STRIDE, Skeleton


@final
class Head(nn.Module):
    """ReLU (where the skeleton has one here), global average, dropout, linear."""

    def __init__(self, channels: int, skeleton: Skeleton) -> None:
        super().__init__()
        self.channels = channels
        self.relu_before_pool = skeleton.relu_before_pool
        self.linear = Linear(channels, skeleton.classes)

    def forward(self, state: State, mask: Tensor | None = None) -> Tensor:
        """Args:
        mask: what dropout multiplies the features with, (B, channels).
        """
        features = (state.rectified if self.relu_before_pool else state.map).mean(dim=(2, 3))
        return self.linear(features if mask is None else features * mask)  # type: ignore[no-any-return]


@final
class AuxiliaryHead(nn.Module):
    """ReLU, 5x5 average pool, 1x1 convolution to 128, convolution over the whole remaining map to
    768, linear.

    Its size depends on the resolution it is built for, so it serves training at that resolution
    only.
    """

    def __init__(self, channels: int, skeleton: Skeleton) -> None:
        super().__init__()
        self.project = conv_bn(channels, 128, 1, skeleton)
        self.cover = conv_bn(128, 768, skeleton.auxiliary_kernel, skeleton, valid=True)
        self.linear = Linear(768, skeleton.classes)

    def forward(self, state: State) -> Tensor:
        x = F.avg_pool2d(state.rectified, AUXILIARY_POOL, AUXILIARY_STRIDE)
        x = torch.relu_(self.project(x))
        x = torch.relu_(self.cover(x))
        return self.linear(x.flatten(1))  # type: ignore[no-any-return]
