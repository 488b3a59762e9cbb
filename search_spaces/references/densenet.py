"""DenseNet-121: Huang, Liu, van der Maaten and Weinberger, "Densely Connected Convolutional
Networks", 2017.

The paper's DenseNet-BC: a layer adds 32 maps through a bottleneck of 128, a transition halves the
maps.
"""

from collections import OrderedDict
from typing import final

import torch
from torch import Tensor, nn

from search_spaces.references import Form

SMALLEST = {"cifar": 8, "imagenet": 32}

_DEPTHS = (6, 12, 24, 16)
_GROWTH = 32


def densenet_121(form: Form, channels: int, classes: int) -> nn.Module:
    """7,978,856 parameters on ImageNet (8,062,504 with running statistics), 6,956,298 on
    CIFAR-10."""
    source = 2 * _GROWTH
    blocks = nn.Sequential()
    for number, depth in enumerate(_DEPTHS):
        if number:
            blocks.append(_transition(source))
            source //= 2
        blocks.append(
            nn.Sequential(*(_DenseLayer(source + _GROWTH * layer) for layer in range(depth)))
        )
        source += _GROWTH * depth
    head = nn.Sequential(
        *(nn.BatchNorm2d(source), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(source, classes)),
    )
    return nn.Sequential(OrderedDict(stem=_stem(form, channels), blocks=blocks, head=head))


@final
class _DenseLayer(nn.Module):
    """All maps so far, and 32 new ones behind them."""

    def __init__(self, source: int) -> None:
        super().__init__()
        bottleneck = 4 * _GROWTH
        self.body = nn.Sequential(
            *(nn.BatchNorm2d(source), nn.ReLU(), nn.Conv2d(source, bottleneck, 1, bias=False)),
            *(
                nn.BatchNorm2d(bottleneck),
                nn.ReLU(),
                nn.Conv2d(bottleneck, _GROWTH, 3, padding=1, bias=False),
            ),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C + 32, H, W)."""
        return torch.cat([images, self.body(images)], dim=1)


def _stem(form: Form, channels: int) -> nn.Sequential:
    if form == "cifar":
        return nn.Sequential(nn.Conv2d(channels, 2 * _GROWTH, 3, padding=1, bias=False))
    return nn.Sequential(
        nn.Conv2d(channels, 2 * _GROWTH, 7, stride=2, padding=3, bias=False),
        *(nn.BatchNorm2d(2 * _GROWTH), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)),
    )


def _transition(source: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.BatchNorm2d(source), nn.ReLU(), nn.Conv2d(source, source // 2, 1, bias=False)),
        nn.AvgPool2d(2),
    )
