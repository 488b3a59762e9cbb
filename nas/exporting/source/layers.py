"""The layers of an exported file as text, each in the reading that its skeleton asks for."""

from __future__ import annotations

from search_spaces.cells.skeleton import Skeleton

_SAME_CONV = '''
def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """The zeros before and after a side, so that ceil(size / stride) places come out; the odd one goes after."""
    out = -(-size // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


class Conv(nn.Conv2d):
    """A convolution without bias that gives ceil(size / stride) rows and columns (TensorFlow's SAME)."""

    def __init__(
        self, channels: int, filters: int, kernel: Pair, stride: Pair = (1, 1), dilation: int = 1, groups: int = 1
    ):
        super().__init__(channels, filters, kernel, stride, 0, dilation, groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        sides = zip(x.shape[2:], self.kernel_size, self.stride, self.dilation)
        (top, bottom), (left, right) = (same_padding(*side) for side in sides)
        if (top, left) != (bottom, right):
            x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
        return F.conv2d(x, self.weight, None, self.stride, (top, left), self.dilation, self.groups)
'''
_SYMMETRIC_CONV = '''
class Conv(nn.Conv2d):
    """A convolution without bias, padded alike on all sides."""

    def __init__(
        self, channels: int, filters: int, kernel: Pair, stride: Pair = (1, 1), dilation: int = 1, groups: int = 1
    ):
        padding = tuple((side - 1) * dilation // 2 for side in kernel)
        super().__init__(channels, filters, kernel, stride, padding, dilation, groups, bias=False)
'''
_UNITS = '''
def batch_norm(filters: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(filters, eps={eps!r}, momentum={momentum!r})


def conv_bn(
    channels: int, filters: int, kernel: int | Pair, stride: int | Pair = 1, dilation: int = 1
) -> nn.Sequential:
    """Convolution, batch norm."""
    conv = Conv(channels, filters, pair(kernel), pair(stride), dilation)
    return nn.Sequential(OrderedDict(conv=conv, bn=batch_norm(filters)))


def rectified(**units: nn.Module) -> nn.Sequential:
    """A ReLU in front of every unit."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for name, unit in units.items():
        layers[f"relu_{{name}}"] = nn.ReLU()
        layers[name] = unit
    return nn.Sequential(layers)


def pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value
'''
_SEPARABLE = '''
def separable_bn(channels: int, filters: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Depthwise convolution, pointwise convolution, batch norm."""
    depthwise = Conv(channels, channels, pair(kernel), pair(stride), dilation, groups=channels)
    pointwise = Conv(channels, filters, (1, 1))
    return nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=pointwise, bn=batch_norm(filters)))
'''
_REDUCTION = '''
class FactorizedReduction(nn.Module):
    """Halves a map without losing pixels: a 1x1 convolution at stride 2, and one on the map moved up and left."""

    def __init__(self, channels: int, filters: int):
        super().__init__()
        self.path_1 = Conv(channels, filters // 2, (1, 1), (2, 2)) if filters > 1 else None
        self.path_2 = Conv(channels, filters - filters // 2, (1, 1), (2, 2))
        self.bn = batch_norm(filters)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
{check}        moved = self.path_2(F.pad(x, (-1, width % 2, -1, height % 2)))
        return self.bn(moved if self.path_1 is None else torch.cat([self.path_1(x), moved], dim=1))
'''
_EVEN_ONLY = """        if height % 2 or width % 2:
            raise ValueError(f"this network needs even maps, but met {height}x{width}")
"""
_POOL_HEAD = '''
class {name}(nn.Module):
    """{sentence} Where the width changes, a 1x1 convolution and batch norm follow."""

    def __init__(self, kernel: int, channels: int, filters: int, stride: int):
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.fit = conv_bn(channels, filters, 1) if channels != filters else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
{padding}{pooling}        return self.fit(pooled)
'''
_POOL_SAME = """        rows, columns = (same_padding(size, self.kernel, self.stride) for size in x.shape[2:])
"""
_POOL_SYMMETRIC = """        rows = columns = (self.kernel // 2, self.kernel // 2)
"""
_POOL_ZEROS = """        if self.stride > 1:  # here the padded zeros count
            x, rows, columns = F.pad(x, (*columns, *rows)), (0, 0), (0, 0)
"""
_POOL_BEFORE = """        before, overhangs = (rows[0], columns[0]), rows[0] != rows[1] or columns[0] != columns[1]
"""
_AVERAGE = """        pooled = F.avg_pool2d(x, self.kernel, self.stride, before, overhangs, count_include_pad=False)
"""
_MAXIMUM = """        pooled = F.max_pool2d(x, self.kernel, self.stride, before, ceil_mode=overhangs)
"""
_ZERO = '''
class Zero(nn.Module):
    """No connection: zeros of the shape that an operation would give."""

    def __init__(self, filters: int, stride: int):
        super().__init__()
        self.filters, self.stride = filters, stride

    def forward(self, x: Tensor) -> Tensor:
        height, width = (-(-size // self.stride) for size in x.shape[2:])
        return x.new_zeros(x.shape[0], self.filters, height, width)
'''
_SHAPES = '''
def match(channels: int, filters: int, stride: int) -> nn.Module:
    """What gives an input that the cell puts out the shape of the other outputs."""
    if stride == 2:
        return FactorizedReduction(channels, filters)
    return conv_bn(channels, filters, 1) if channels != filters else nn.Identity()
'''
_FIT = '''
def fit_older(channels: int | None, filters: int, larger: bool) -> nn.Module:
    """What gives the older input the cell's width and map; without an older output it is the newer one as it is."""
    if channels is None:
        return nn.Identity()
    if larger:
        return rectified(first=FactorizedReduction(channels, filters))
{same}    return rectified(first=conv_bn(channels, filters, 1))
'''
_FIT_SAME = """    if channels == filters:
        return nn.Identity()
"""
RESIDUAL = '''
class ResidualReduction(nn.Module):
    """A residual block at stride 2; its short cut averages 2x2 pixels."""

    def __init__(self, channels: int, filters: int):
        super().__init__()
        self.first = rectified(first=conv_bn(channels, filters, 3, stride=2))
        self.second = rectified(first=conv_bn(filters, filters, 3))
        self.short_cut = Conv(channels, filters, (1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.short_cut(F.avg_pool2d(x, 2, ceil_mode=True)) + self.second(self.first(x))
'''


def layers_text(skeleton: Skeleton, needed: set[str]) -> str:
    """The layers that are needed: `separable`, `average`, `max`, `zero`, `reduction`, `match`,
    `fit`."""
    same = skeleton.alignment == "same" and skeleton.layout != "nasbench201"
    parts = [_SAME_CONV if same else _SYMMETRIC_CONV]
    parts.append(_UNITS.format(eps=skeleton.bn_eps, momentum=skeleton.bn_momentum))
    optional = {
        "separable": _SEPARABLE,
        "average": _pool("average", skeleton, same),
        "max": _pool("max", skeleton, same),
        "zero": _ZERO,
        "reduction": _REDUCTION.format(
            check=_EVEN_ONLY if skeleton.factorized_path == "crop" else ""
        ),
        "match": _SHAPES,
        "fit": _FIT.format(same="" if skeleton.always_fit else _FIT_SAME),
    }
    parts += [text for name, text in optional.items() if name in needed]
    return "\n".join(parts)


def _pool(kind: str, skeleton: Skeleton, same: bool) -> str:
    average = kind == "average"
    zeros = skeleton.average_divisor == "padded" if average else skeleton.max_padding == "zero"
    padding = (
        (_POOL_SAME if same else _POOL_SYMMETRIC) + (_POOL_ZEROS if zeros else "") + _POOL_BEFORE
    )
    sentence = "The mean of each window." if average else "The largest value of each window."
    return _POOL_HEAD.format(
        name="AveragePool" if average else "MaxPool",
        sentence=sentence,
        padding=padding,
        pooling=_AVERAGE if average else _MAXIMUM,
    )
