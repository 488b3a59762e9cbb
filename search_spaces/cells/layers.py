"""The few layers all operations are made of: convolution, batch norm, pooling, and what is put
together from them."""

from __future__ import annotations

from collections import OrderedDict
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search_spaces.cells.skeleton import Skeleton
from search_spaces.errors import NetworkError

Pair = tuple[int, int]


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> Pair:
    """What TensorFlow's SAME puts before and after a side of this size; the odd pixel goes
    after."""
    out = -(-size // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value


@final
class Conv(nn.Conv2d):
    """A bias-free convolution, padded SAME (or as the skeleton says) for whatever map it is given.

    Its weights are not drawn here but by `initialize`, from a generator, for the whole network.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel: int | Pair,
        style: Skeleton,
        *,
        stride: int | Pair = 1,
        dilation: int = 1,
        depthwise: bool = False,
        valid: bool = False,
    ) -> None:
        kernel, stride = _pair(kernel), _pair(stride)
        padding = (
            (0, 0) if valid else ((kernel[0] - 1) * dilation // 2, (kernel[1] - 1) * dilation // 2)
        )
        super().__init__(
            channels,
            filters,
            kernel,
            stride,
            padding,
            dilation,
            groups=channels if depthwise else 1,
            bias=False,
        )
        strided = any(step > 1 and side > 1 for step, side in zip(stride, kernel, strict=True))
        self.depends_on_size = strided and not valid and style.alignment == "same"

    def reset_parameters(self) -> None:
        """Nothing: `initialize` draws."""

    def forward(self, x: Tensor) -> Tensor:
        if self._is_unsafe(x):
            rows, columns = self.stride
            return F.conv2d(x[:, :, ::rows, ::columns], self.weight)
        if not self.depends_on_size:
            return super().forward(x)
        (top, bottom), (left, right) = (
            same_padding(
                x.shape[axis + 2], self.kernel_size[axis], self.stride[axis], self.dilation[axis]
            )
            for axis in (0, 1)
        )
        if (top, left) != (bottom, right):
            x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
        return F.conv2d(x, self.weight, None, self.stride, (top, left), self.dilation, self.groups)

    def _is_unsafe(self, x: Tensor) -> bool:
        """Whether torch would write beyond its memory: oneDNN 3.12 does, in the gradient of a
        strided 1x1 convolution of few channels, on processors without AVX-512."""
        strided_point = self.kernel_size == (1, 1) and self.stride != (1, 1)
        return strided_point and self.in_channels % 8 != 0 and x.is_cpu and torch.is_grad_enabled()


@final
class BatchNorm(nn.BatchNorm2d):
    """Batch norm that does not count batches: with a momentum nobody reads the count, and counting
    costs a kernel."""

    def __init__(self, filters: int, style: Skeleton) -> None:
        super().__init__(filters, eps=style.bn_eps, momentum=style.bn_momentum)

    def forward(self, x: Tensor) -> Tensor:
        statistics = (self.running_mean, self.running_var)
        return F.batch_norm(
            x, *statistics, self.weight, self.bias, self.training, self.momentum or 0.0, self.eps
        )


@final
class Linear(nn.Linear):
    """A linear layer with bias, drawn by `initialize`."""

    def reset_parameters(self) -> None:
        """Nothing: `initialize` draws."""


class Unit(nn.Sequential):
    """Layers in a row that end in batch norm, so that the result is a fresh map which may be
    overwritten."""

    def __init__(self, **layers: nn.Module) -> None:
        super().__init__(OrderedDict(layers))


def conv_bn(
    channels: int, filters: int, kernel: int | Pair, style: Skeleton, **options: int | Pair
) -> Unit:
    """Convolution, BN."""
    conv = Conv(channels, filters, kernel, style, **options)  # type: ignore[arg-type]
    return Unit(conv=conv, bn=BatchNorm(filters, style))


def separable_bn(
    channels: int, filters: int, kernel: int, style: Skeleton, stride: int = 1, dilation: int = 1
) -> Unit:
    """Depthwise convolution, pointwise convolution, BN: nothing stands between the two
    convolutions."""
    return Unit(
        depthwise=Conv(
            channels, channels, kernel, style, stride=stride, dilation=dilation, depthwise=True
        ),
        pointwise=Conv(channels, filters, 1, style),
        bn=BatchNorm(filters, style),
    )


@final
class Rectified(nn.Module):
    """ReLU, a unit, ReLU, the next unit and so on.

    Who has the ReLU of the input already (a cell computes it once for all edges that read a state)
    enters `after_relu`.
    """

    _ORDINALS = ("first", "second", "third", "fourth")

    def __init__(self, *units: nn.Module) -> None:
        super().__init__()
        self.units = self._ORDINALS[: len(units)]
        for name, unit in zip(self.units, units, strict=True):
            self.add_module(name, unit)

    def forward(self, x: Tensor) -> Tensor:
        return self.after_relu(torch.relu(x))

    def after_relu(self, x: Tensor) -> Tensor:
        """The rest, for an input that went through ReLU already."""
        x = self._modules["first"](x)  # type: ignore[misc]
        for name in self.units[1:]:
            x = self._modules[name](torch.relu_(x))  # type: ignore[misc]
        return x


@final
class Pool(nn.Module):
    """A pool, padded SAME; one that meets another channel count goes on through a 1x1 convolution
    and BN, no ReLU."""

    def __init__(
        self, kind: str, kernel: int, channels: int, filters: int, stride: int, style: Skeleton
    ) -> None:
        super().__init__()
        self.kind, self.kernel, self.stride = kind, kernel, stride
        self.symmetric = style.alignment == "symmetric"
        self.counts_padding = stride > 1 and style.average_divisor == "padded"
        self.pads_zeros = stride > 1 and style.max_padding == "zero"
        self.fit = conv_bn(channels, filters, 1, style) if channels != filters else None

    def forward(self, x: Tensor) -> Tensor:
        return self.fitted(self.pooled(x))

    def pooled(self, x: Tensor) -> Tensor:
        """The map as pooled, with its own channels."""
        rows, columns = self._padding(x.shape[2]), self._padding(x.shape[3])
        # The zeros are spelled out: exporters know no other divisor than the window's own.
        if self.kind == "max" and self.pads_zeros:
            return F.max_pool2d(F.pad(x, (*columns, *rows)), self.kernel, self.stride)
        if self.kind != "max" and self.counts_padding:
            return F.avg_pool2d(F.pad(x, (*columns, *rows)), self.kernel, self.stride)
        # A last window that overhangs the map (ceil_mode) is what padding one more row after than
        # before means.
        before, overhangs = (rows[0], columns[0]), rows[0] != rows[1] or columns[0] != columns[1]
        if self.kind == "max":
            return F.max_pool2d(x, self.kernel, self.stride, before, ceil_mode=overhangs)
        return F.avg_pool2d(x, self.kernel, self.stride, before, overhangs, False)

    def fitted(self, pooled: Tensor) -> Tensor:
        """The pooled map with the channels that are asked for."""
        return pooled if self.fit is None else self.fit(pooled)

    def extra_repr(self) -> str:
        return f"{self.kind}, kernel={self.kernel}, stride={self.stride}"

    def _padding(self, size: int) -> Pair:
        if self.symmetric:
            return self.kernel // 2, self.kernel // 2
        return same_padding(size, self.kernel, self.stride)


@final
class FactorizedReduction(nn.Module):
    """Halves a map without losing pixels: two 1x1 convolutions at stride 2, the second on the map
    moved up and left.

    What moves in from below and the right is zero; an even map's paths do not see it, so only an
    odd map is padded.
    """

    def __init__(self, channels: int, filters: int, style: Skeleton) -> None:
        super().__init__()
        self.path_1 = Conv(channels, filters // 2, 1, style, stride=2) if filters > 1 else None
        self.path_2 = Conv(channels, filters - filters // 2, 1, style, stride=2)
        self.bn = BatchNorm(filters, style)
        self.crops = style.factorized_path == "crop"

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if self.crops and (height % 2 or width % 2):
            raise NetworkError(
                f"factorized_path 'crop' needs even maps, but met {height}x{width}; use 'pad-crop'"
            )
        moved = self.path_2(F.pad(x, (-1, width % 2, -1, height % 2)))
        if self.path_1 is None:
            return self.bn(moved)  # type: ignore[no-any-return]
        return self.bn(torch.cat((self.path_1(x), moved), dim=1))  # type: ignore[no-any-return]


def fit_shape(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    """A factorized reduction at stride 2, at stride 1 the same routine's plain 1x1 convolution and
    BN; no ReLU."""
    return (
        FactorizedReduction(channels, filters, style)
        if stride == 2
        else conv_bn(channels, filters, 1, style)
    )


@final
class Zero(nn.Module):
    """No connection: zeros of the shape an operation would give."""

    def __init__(self, filters: int, stride: int) -> None:
        super().__init__()
        self.filters, self.stride = filters, stride

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1 and x.shape[1] == self.filters:
            return torch.zeros_like(x)
        height, width = (-(-size // self.stride) for size in x.shape[2:])
        return x.new_zeros(x.shape[0], self.filters, height, width)
