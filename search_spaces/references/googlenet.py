"""GoogLeNet: Szegedy et al., "Going Deeper with Convolutions", 2015, table 1.

As it is built today: batch normalization after every convolution in place of local response
normalization and of the biases, and no auxiliary heads. With 5x5 kernels that is 7,005,832
parameters; with biases instead (7,280 fewer, one for each map rather than two) it is the 6,998,552
of the network in the paper.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from search_spaces.references import Form

SMALLEST = {"cifar": 8, "imagenet": 32}

# Maps of each inception module: 1x1; 3x3 reduce, 3x3; 5x5 reduce, 5x5; behind the pool. A pool lies
# between stages.
_STAGES = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)


def googlenet(form: Form, channels: int, classes: int, *, paper_kernels: bool = False) -> nn.Module:
    """6,624,904 parameters on ImageNet, 6,166,250 on CIFAR-10, whose form has biases and no
    dropout.

    Args:
        paper_kernels: 5x5 where the paper has 5x5. The counts that are usually quoted, and so our
            forms, come from networks with one 3x3 (ImageNet) or two of them (CIFAR) in its place.
    """
    small = form == "cifar"
    wide = (5,) if paper_kernels else (3, 3) if small else (3,)
    source = 192
    stages = nn.Sequential()
    for number, stage in enumerate(_STAGES):
        if number:
            stages.append(nn.MaxPool2d(3, stride=2, padding=1))
        for maps in stage:
            stages.append(_Inception(source, maps, wide, small))
            source = _width(maps)
    head = nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.0 if small else 0.4),
        nn.Linear(source, classes),
    )
    return nn.Sequential(OrderedDict(stem=_stem(form, channels), stages=stages, head=head))


@final
class _Inception(nn.Module):
    """Four branches side by side (the paper's figure 2b)."""

    def __init__(
        self, source: int, maps: tuple[int, ...], wide: tuple[int, ...], bias: bool
    ) -> None:
        super().__init__()
        one, three_reduce, three, five_reduce, five, pooled = maps
        self.branches = nn.ModuleList(
            [
                _convolutions((source, one), (1,), bias),
                _convolutions((source, three_reduce, three), (1, 3), bias),
                _convolutions((source, five_reduce, *(five for _ in wide)), (1, *wide), bias),
                nn.Sequential(
                    nn.MaxPool2d(3, stride=1, padding=1),
                    *_convolutions((source, pooled), (1,), bias),
                ),
            ]
        )

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H, W)."""
        return torch.cat([branch(images) for branch in self.branches], dim=1)


def _width(maps: tuple[int, ...]) -> int:
    one, _, three, _, five, pooled = maps
    return one + three + five + pooled


def _stem(form: Form, channels: int) -> nn.Sequential:
    if form == "cifar":
        return _convolutions((channels, 192), (3,), bias=True)
    return nn.Sequential(
        *(*_convolutions((channels, 64), (7,), stride=2), nn.MaxPool2d(3, stride=2, padding=1)),
        *(*_convolutions((64, 64, 192), (1, 3)), nn.MaxPool2d(3, stride=2, padding=1)),
    )


def _convolutions(
    maps: Sequence[int], kernels: Sequence[int], bias: bool = False, stride: int = 1
) -> nn.Sequential:
    """Convolution, normalization, ReLU: once for each kernel."""
    layers = nn.Sequential()
    for source, filters, kernel in zip(maps, maps[1:], kernels, strict=False):
        layers.append(nn.Conv2d(source, filters, kernel, stride, padding=kernel // 2, bias=bias))
        layers.extend([nn.BatchNorm2d(filters), nn.ReLU()])
    return layers
