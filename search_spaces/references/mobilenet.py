"""MobileNet: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
Applications", 2017.

Table 1 with width and resolution multipliers of 1.
"""

from collections import OrderedDict

from torch import nn

from search_spaces.references import Form

SMALLEST = {"cifar": 8, "imagenet": 32}

# Filters and stride of each separable convolution. The last one's stride of 2 in table 1 is a slip:
# its map stays 7x7.
_LAYERS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)


def mobilenet(form: Form, channels: int, classes: int) -> nn.Module:
    """4,231,976 parameters on ImageNet (4,253,864 with running statistics), 3,217,226 on CIFAR-10.

    The CIFAR form differs by the stride of the first convolution, 1 instead of 2.
    """
    source = 32
    stem = nn.Sequential(
        nn.Conv2d(channels, source, 3, stride=1 if form == "cifar" else 2, padding=1, bias=False),
        *(nn.BatchNorm2d(source), nn.ReLU()),
    )
    layers = nn.Sequential()
    for filters, stride in _LAYERS:
        layers.append(_separable(source, filters, stride))
        source = filters
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(source, classes))
    return nn.Sequential(OrderedDict(stem=stem, layers=layers, head=head))


def _separable(source: int, filters: int, stride: int) -> nn.Sequential:
    """One filter per map, then 1x1 across maps, each with its normalization (the paper's figure
    3)."""
    return nn.Sequential(
        nn.Conv2d(source, source, 3, stride, padding=1, groups=source, bias=False),
        *(nn.BatchNorm2d(source), nn.ReLU()),
        nn.Conv2d(source, filters, 1, bias=False),
        *(nn.BatchNorm2d(filters), nn.ReLU()),
    )
