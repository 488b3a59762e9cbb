"""ResNet: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2016 (table 1,
projections B).

And its pre-activation form, by the same authors: "Identity Mappings in Deep Residual Networks",
2016.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from search_spaces.references import Form

SMALLEST = {"cifar": 8, "imagenet": 32}

_FILTERS = (64, 128, 256, 512)


def resnet_18(form: Form, channels: int, classes: int) -> nn.Module:
    """11,689,512 parameters on ImageNet, 11,173,962 on CIFAR-10."""
    return _resnet(form, channels, classes, (2, 2, 2, 2), _basic, expansion=1, bias=False)


def resnet_50(form: Form, channels: int, classes: int, *, bias: bool = False) -> nn.Module:
    """25,557,032 parameters on ImageNet, 23,520,842 on CIFAR-10.

    As is usual now, a stage's stride is in its first 3x3 convolution (the paper: in the 1x1 before
    it), which costs 6 % more multiply-adds and no parameters.

    Args:
        bias: give every convolution a bias, as Keras does. Normalization makes these 26,560
            parameters idle. With them and 53,120 running statistics the network has the 25,636,712
            that Keras prints.
    """
    return _resnet(form, channels, classes, (3, 4, 6, 3), _bottleneck, expansion=4, bias=bias)


def preact_resnet_18(
    form: Form, channels: int, classes: int, *, final_norm: bool | None = None
) -> nn.Module:
    """11,687,720 parameters on ImageNet, 11,171,146 on CIFAR-10.

    Args:
        final_norm: one more normalization and ReLU after the last unit. The paper has it (its
            appendix), so the ImageNet form has it if nothing is said; the usual CIFAR form has not
            (with it: 11,172,170).
    """
    ends_normalized = form == "imagenet" if final_norm is None else final_norm
    units = nn.Sequential()
    source = 64
    for stage, filters in enumerate(_FILTERS):
        for unit in range(2):
            stride = 2 if stage and not unit else 1
            # The stem ends with an activation, so the first unit needs none of its own (the paper's
            # appendix).
            units.append(_PreActivation(source, filters, stride, activated=len(units) == 0))
            source = filters
    if ends_normalized:
        units.extend([nn.BatchNorm2d(source), nn.ReLU()])
    return nn.Sequential(
        OrderedDict(stem=_stem(form, channels, False), units=units, head=_head(source, classes))
    )


def _resnet(
    form: Form,
    channels: int,
    classes: int,
    depths: tuple[int, ...],
    body: Callable[[int, int, int, bool], nn.Sequential],
    expansion: int,
    bias: bool,
) -> nn.Module:
    stages = nn.Sequential()
    source = 64
    for stage, (depth, filters) in enumerate(zip(depths, _FILTERS, strict=True)):
        units = nn.Sequential()
        for unit in range(depth):
            stride = 2 if stage and not unit else 1
            shortcut = _shortcut(source, filters * expansion, stride, bias)
            units.append(_Residual(body(source, filters, stride, bias), shortcut))
            source = filters * expansion
        stages.append(units)
    return nn.Sequential(
        OrderedDict(stem=_stem(form, channels, bias), stages=stages, head=_head(source, classes))
    )


@final
class _Residual(nn.Module):
    """ReLU(body(x) + shortcut(x))."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut
        self.relu = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        out: Tensor = self.relu(self.body(images) + self.shortcut(images))
        return out


@final
class _PreActivation(nn.Module):
    """Activation first, nothing after the sum. A projection starts behind the activation, an
    identity before it."""

    def __init__(self, source: int, filters: int, stride: int, activated: bool) -> None:
        super().__init__()
        self.activation = (
            nn.Identity() if activated else nn.Sequential(nn.BatchNorm2d(source), nn.ReLU())
        )
        self.body = nn.Sequential(
            *(_convolution(source, filters, 3, stride), nn.BatchNorm2d(filters), nn.ReLU()),
            _convolution(filters, filters, 3),
        )
        same = stride == 1 and source == filters
        self.projection = None if same else _convolution(source, filters, 1, stride)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        activated = self.activation(images)
        kept = images if self.projection is None else self.projection(activated)
        out: Tensor = self.body(activated) + kept
        return out


def _stem(form: Form, channels: int, bias: bool) -> nn.Sequential:
    if form == "cifar":
        return nn.Sequential(
            _convolution(channels, 64, 3, bias=bias), nn.BatchNorm2d(64), nn.ReLU()
        )
    convolution = _convolution(channels, 64, 7, stride=2, bias=bias)
    return nn.Sequential(
        convolution, nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)
    )


def _basic(source: int, filters: int, stride: int, bias: bool) -> nn.Sequential:
    return nn.Sequential(
        *(_convolution(source, filters, 3, stride, bias), nn.BatchNorm2d(filters), nn.ReLU()),
        *(_convolution(filters, filters, 3, 1, bias), nn.BatchNorm2d(filters)),
    )


def _bottleneck(source: int, filters: int, stride: int, bias: bool) -> nn.Sequential:
    return nn.Sequential(
        *(_convolution(source, filters, 1, 1, bias), nn.BatchNorm2d(filters), nn.ReLU()),
        *(_convolution(filters, filters, 3, stride, bias), nn.BatchNorm2d(filters), nn.ReLU()),
        *(_convolution(filters, 4 * filters, 1, 1, bias), nn.BatchNorm2d(4 * filters)),
    )


def _shortcut(source: int, filters: int, stride: int, bias: bool) -> nn.Module:
    if stride == 1 and source == filters:
        return nn.Identity()
    return nn.Sequential(_convolution(source, filters, 1, stride, bias), nn.BatchNorm2d(filters))


def _convolution(
    source: int, filters: int, kernel: int, stride: int = 1, bias: bool = False
) -> nn.Conv2d:
    return nn.Conv2d(source, filters, kernel, stride, padding=kernel // 2, bias=bias)


def _head(source: int, classes: int) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(source, classes))
