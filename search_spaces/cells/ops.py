"""The operations that may stand on an edge: one function each, whose name is the operation's."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from search_spaces.cells.layers import (
    BatchNorm,
    Conv,
    Pool,
    Rectified,
    Unit,
    Zero,
    conv_bn,
    fit_shape,
    separable_bn,
)
from search_spaces.cells.skeleton import Skeleton
from search_spaces.errors import NetworkError, known_names

Op = Callable[[int, int, int, Skeleton], nn.Module]  # what `op` decorates is a plain function

_OPS: dict[str, Op] = {}


def op(function: Op) -> Op:
    """Makes a function of (channels, filters, stride, style) the operation of its name.

    An operation of your own stands in the file of your space; genotypes, keys, drawings and the
    exported `model.py`, which copies its source, know it as soon as that file is imported.
    """
    name = function.__name__
    known = _OPS.get(name)
    if known is not None and known.__code__.co_filename != function.__code__.co_filename:
        raise NetworkError(f"there is an op {name!r} already: give yours a name of its own")
    _OPS[name] = function
    return function


def op_names() -> tuple[str, ...]:
    """The name of every operation."""
    return tuple(_OPS)


def op_called(name: str) -> Op:
    """The function of an operation."""
    if name not in _OPS:
        raise NetworkError(known_names(name, _OPS, "op"))
    return _OPS[name]


def make_op(name: str, channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    """The operation of this name from `channels` to `filters`; `style` settles what sources read
    differently."""
    return op_called(name)(channels, filters, stride, style)


@op
def identity(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    if stride == 1 and channels == filters:
        return nn.Identity()
    if stride == 2 and style.op_semantics == "nds":
        return Rectified(fit_shape(channels, filters, stride, style))
    return Rectified(conv_bn(channels, filters, 1, style, stride=stride))


@op
def conv_1x3_3x1(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    return _factored(3, channels, filters, stride, style)


@op
def conv_1x7_7x1(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    return _factored(7, channels, filters, stride, style)


@op
def dil_3x3(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    return _dilated(3, channels, filters, stride, style)


@op
def avg_3x3(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    return Pool("average", 3, channels, filters, stride, style)


@op
def max_3x3(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    return Pool("max", 3, channels, filters, stride, style)


@op
def max_5x5(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    return Pool("max", 5, channels, filters, stride, style)


@op
def max_7x7(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    return Pool("max", 7, channels, filters, stride, style)


@op
def conv_1x1(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    return Rectified(conv_bn(channels, filters, 1, style, stride=stride))


@op
def conv_3x3(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    width = _bottleneck(filters // 4, style)
    if width is None:
        return Rectified(conv_bn(channels, filters, 3, style, stride=stride))
    return _squeezed(
        channels, width, filters, style, conv_bn(width, width, 3, style, stride=stride)
    )


@op
def sep_3x3(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    return _separable_twice(3, channels, filters, stride, style)


@op
def sep_5x5(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    return _separable_twice(5, channels, filters, stride, style)


@op
def sep_7x7(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    return _separable_twice(7, channels, filters, stride, style)


@op
def none(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    del channels, style
    return Zero(filters, stride)


@op
def dil_5x5(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    return _dilated(5, channels, filters, stride, style)


def _separable_twice(
    kernel: int, channels: int, filters: int, stride: int, style: Skeleton
) -> nn.Module:
    """Stride and change of channels happen in the first half, so the middle is `filters` wide."""
    return Rectified(
        separable_bn(channels, filters, kernel, style, stride=stride),
        separable_bn(filters, filters, kernel, style),
    )


def _factored(side: int, channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    """1 x side, then side x 1; NDS code has neither BN nor ReLU between the two."""
    row, column = (1, side), (side, 1)
    if style.op_semantics == "nds":
        return Rectified(
            Unit(
                conv_row=Conv(channels, filters, row, style, stride=(1, stride)),
                conv_column=Conv(filters, filters, column, style, stride=(stride, 1)),
                bn=BatchNorm(filters, style),
            )
        )
    width = _bottleneck(3 * filters // 8 if side == 3 else filters // 4, style)
    entry, middle = (channels, filters) if width is None else (width, width)
    body = (
        conv_bn(entry, middle, row, style, stride=(1, stride)),
        conv_bn(middle, middle, column, style, stride=(stride, 1)),
    )
    return Rectified(*body) if width is None else _squeezed(channels, width, filters, style, *body)


def _dilated(kernel: int, channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    """A full convolution at rate 2; NDS code has a depthwise one and a pointwise one."""
    if style.op_semantics == "nds":
        return Rectified(separable_bn(channels, filters, kernel, style, stride=stride, dilation=2))
    width = _bottleneck(filters // 4, style)
    if width is None:
        return Rectified(conv_bn(channels, filters, kernel, style, stride=stride, dilation=2))
    return _squeezed(
        channels,
        width,
        filters,
        style,
        conv_bn(width, width, kernel, style, stride=stride, dilation=2),
    )


def _bottleneck(width: int, style: Skeleton) -> int | None:
    """AmoebaNet's code works inside a bottleneck, unless that would have no channel at all."""
    return width if style.op_semantics == "tpu" and width > 0 else None


def _squeezed(
    channels: int, width: int, filters: int, style: Skeleton, *body: nn.Module
) -> nn.Module:
    return Rectified(conv_bn(channels, width, 1, style), *body, conv_bn(width, filters, 1, style))
