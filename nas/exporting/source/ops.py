"""The operations of an exported file as text: one function each, in the reading (`op_semantics`) of
the skeleton."""

from __future__ import annotations

from collections.abc import Mapping

_SEPARABLE_TWICE = '''
def sep_{k}x{k}(channels: int, filters: int, stride: int = 1) -> nn.Module:
    """ReLU, depthwise {k}x{k}, 1x1, batch norm; then all of it once more."""
    first = separable_bn(channels, filters, {k}, stride)
    return rectified(first=first, second=separable_bn(filters, filters, {k}))
'''
_AVERAGE = """
def avg_3x3(channels: int, filters: int, stride: int = 1) -> nn.Module:
    return AveragePool(3, channels, filters, stride)
"""
_MAX = """
def max_{k}x{k}(channels: int, filters: int, stride: int = 1) -> nn.Module:
    return MaxPool({k}, channels, filters, stride)
"""
_NONE = """
def none(channels: int, filters: int, stride: int = 1) -> nn.Module:
    return Zero(filters, stride)
"""
_IDENTITY = '''
def identity(channels: int, filters: int, stride: int = 1) -> nn.Module:
    """The input as it is; where the shape changes, ReLU, {how}."""
    if stride == 1 and channels == filters:
        return nn.Identity()
{strided}    return rectified(first=conv_bn(channels, filters, 1, stride))
'''
_IDENTITY_NDS = """    if stride == 2:
        return rectified(first=FactorizedReduction(channels, filters))
"""
_CONV = '''
def conv_{k}x{k}(channels: int, filters: int, stride: int = 1) -> nn.Module:
    """ReLU, {k}x{k} convolution, batch norm."""
    return rectified(first=conv_bn(channels, filters, {k}, stride))
'''
_CONV_TPU = '''
def conv_3x3(channels: int, filters: int, stride: int = 1) -> nn.Module:
    """ReLU, 3x3 convolution, batch norm, between two 1x1 convolutions to a quarter of the width and back."""
    width = filters // 4
    if width == 0:
        return rectified(first=conv_bn(channels, filters, 3, stride))
    return rectified(
        first=conv_bn(channels, width, 1),
        second=conv_bn(width, width, 3, stride),
        third=conv_bn(width, filters, 1),
    )
'''
_FACTORED = '''
def conv_1x{k}_{k}x1(channels: int, filters: int, stride: int = 1) -> nn.Module:
    """ReLU, 1x{k} convolution, batch norm, ReLU, {k}x1 convolution, batch norm."""
    row = conv_bn(channels, filters, (1, {k}), (1, stride))
    return rectified(first=row, second=conv_bn(filters, filters, ({k}, 1), (stride, 1)))
'''
_FACTORED_NDS = '''
def conv_1x{k}_{k}x1(channels: int, filters: int, stride: int = 1) -> nn.Module:
    """ReLU, 1x{k} convolution, {k}x1 convolution, batch norm."""
    row = Conv(channels, filters, (1, {k}), (1, stride))
    column = Conv(filters, filters, ({k}, 1), (stride, 1))
    return rectified(first=nn.Sequential(OrderedDict(conv_row=row, conv_column=column, bn=batch_norm(filters))))
'''
_FACTORED_TPU = '''
def conv_1x{k}_{k}x1(channels: int, filters: int, stride: int = 1) -> nn.Module:
    """ReLU, 1x{k} and {k}x1 convolutions with batch norm, between two 1x1 convolutions to a smaller width and back."""
    width = {width}
    entry, middle = (width, width) if width else (channels, filters)
    row = conv_bn(entry, middle, (1, {k}), (1, stride))
    column = conv_bn(middle, middle, ({k}, 1), (stride, 1))
    if width == 0:
        return rectified(first=row, second=column)
    return rectified(first=conv_bn(channels, width, 1), second=row, third=column, fourth=conv_bn(width, filters, 1))
'''
_DILATED = '''
def dil_{k}x{k}(channels: int, filters: int, stride: int = 1) -> nn.Module:
    """ReLU, {k}x{k} convolution at rate 2, batch norm."""
    return rectified(first=conv_bn(channels, filters, {k}, stride, dilation=2))
'''
_DILATED_NDS = '''
def dil_{k}x{k}(channels: int, filters: int, stride: int = 1) -> nn.Module:
    """ReLU, depthwise {k}x{k} at rate 2, 1x1, batch norm."""
    return rectified(first=separable_bn(channels, filters, {k}, stride, dilation=2))
'''
_DILATED_TPU = '''
def dil_{k}x{k}(channels: int, filters: int, stride: int = 1) -> nn.Module:
    """ReLU, {k}x{k} convolution at rate 2, between two 1x1 convolutions to a quarter of the width and back."""
    width = filters // 4
    if width == 0:
        return rectified(first=conv_bn(channels, filters, {k}, stride, dilation=2))
    return rectified(
        first=conv_bn(channels, width, 1),
        second=conv_bn(width, width, {k}, stride, dilation=2),
        third=conv_bn(width, filters, 1),
    )
'''
_TEXTS: Mapping[str, Mapping[str, str]] = {
    "identity": {
        "": _IDENTITY.format(how="1x1 convolution, batch norm", strided=""),
        "nds": _IDENTITY.format(
            how="1x1 convolution or factorized reduction", strided=_IDENTITY_NDS
        ),
    },
    "conv": {"": _CONV},
    "factored": {"": _FACTORED, "nds": _FACTORED_NDS, "tpu": _FACTORED_TPU},
    "dilated": {"": _DILATED, "nds": _DILATED_NDS, "tpu": _DILATED_TPU},
    "separable": {"": _SEPARABLE_TWICE},
    "average": {"": _AVERAGE},
    "max": {"": _MAX},
    "none": {"": _NONE},
}
_FAMILIES = {
    "none": ("none", 0),
    "identity": ("identity", 0),
    "conv_1x3_3x1": ("factored", 3),
    "conv_1x7_7x1": ("factored", 7),
    "dil_3x3": ("dilated", 3),
    "dil_5x5": ("dilated", 5),
    "avg_3x3": ("average", 3),
    "max_3x3": ("max", 3),
    "max_5x5": ("max", 5),
    "max_7x7": ("max", 7),
    "conv_1x1": ("conv", 1),
    "conv_3x3": ("conv", 3),
    "sep_3x3": ("separable", 3),
    "sep_5x5": ("separable", 5),
    "sep_7x7": ("separable", 7),
}


def has_text(name: str) -> bool:
    """Whether the operation has a text of its own here; else its source is copied."""
    return name in _FAMILIES


def op_text(name: str, semantics: str) -> str:
    """The function of this operation."""
    family, kernel = _FAMILIES[name]
    if name == "conv_3x3" and semantics == "tpu":
        return _CONV_TPU
    texts = _TEXTS[family]
    text = texts.get(semantics, texts[""])
    if family in ("identity", "average", "none"):
        return text
    return text.format(k=kernel, width="3 * filters // 8" if kernel == 3 else "filters // 4")


def layers_of(name: str, semantics: str) -> set[str]:
    """The layers, as `layers_text` calls them, that the function of this operation uses."""
    family, _ = _FAMILIES.get(name, ("", 0))
    if family == "dilated":
        return {"separable"} if semantics == "nds" else set()
    if family == "identity":
        return {"reduction"} if semantics == "nds" else set()
    used = {"separable": "separable", "average": "average", "max": "max", "none": "zero"}
    return {used[family]} if family in used else set()
