"""VGG-16: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", 2015.

Configuration D of table 1.
"""

from collections import OrderedDict

from torch import nn

from search_spaces.references import Form

SMALLEST = {"cifar": 32, "imagenet": 32}

_STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


def vgg_16(form: Form, channels: int, classes: int) -> nn.Module:
    """138,357,544 parameters on ImageNet.

    The CIFAR form (14,728,266) has batch normalization after each convolution and one linear layer,
    without dropout.
    """
    stages = nn.Sequential()
    for convolutions, filters in _STAGES:
        stages.append(_stage(convolutions, channels, filters, normalized=form == "cifar"))
        channels = filters
    head = _small_head(classes) if form == "cifar" else _large_head(classes)
    return nn.Sequential(OrderedDict(stages=stages, head=head))


def _stage(convolutions: int, source: int, filters: int, normalized: bool) -> nn.Sequential:
    layers = nn.Sequential()
    for _ in range(convolutions):
        layers.append(nn.Conv2d(source, filters, 3, padding=1))
        if normalized:
            layers.append(nn.BatchNorm2d(filters))
        layers.append(nn.ReLU())
        source = filters
    return layers.append(nn.MaxPool2d(2))


def _small_head(classes: int) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


def _large_head(classes: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.AdaptiveAvgPool2d(7), nn.Flatten()),  # changes nothing at 224
        *(nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(0.5)),
        *(nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(4096, classes),
    )
