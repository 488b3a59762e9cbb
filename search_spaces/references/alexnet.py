"""AlexNet, the single tower: Krizhevsky, "One weird trick for parallelizing convolutional neural
networks", 2014.

The paper of 2012 splits its filters over two GPUs and normalises local responses; the single tower
does neither.
"""

from collections import OrderedDict

from torch import nn

from search_spaces.references import Form

SMALLEST = {"cifar": 29, "imagenet": 63}


def alexnet(form: Form, channels: int, classes: int) -> nn.Module:
    """61,100,840 parameters on ImageNet.

    The CIFAR form (2,472,266) is the one in use for tables of CIFAR: pools of 2 for overlapping
    pools of 3, and one linear layer for three, without dropout. It keeps the stride of 4, so it is
    the weakest of the references.
    """
    small = form == "cifar"
    maps = nn.Sequential(
        *(
            nn.Conv2d(channels, 64, 11, stride=4, padding=5 if small else 2),
            nn.ReLU(),
            _pool(small),
        ),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), _pool(small)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), _pool(small)),
    )
    head = _small_head(classes) if small else _large_head(classes)
    return nn.Sequential(OrderedDict(maps=maps, head=head))


def _pool(small: bool) -> nn.Module:
    return nn.MaxPool2d(2 if small else 3, stride=2)


def _small_head(classes: int) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, classes))


def _large_head(classes: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.AdaptiveAvgPool2d(6), nn.Flatten()),  # changes nothing at 224
        *(nn.Dropout(0.5), nn.Linear(256 * 6 * 6, 4096), nn.ReLU()),
        *(nn.Dropout(0.5), nn.Linear(4096, 4096), nn.ReLU()),
        nn.Linear(4096, classes),
    )
