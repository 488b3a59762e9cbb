"""ladder 02710172.

    from model import build
    network = build()           # with the weights beside this file
    logits = network(images)    # images (B, 1, 8, 8), normalised by MEAN and STD; logits (B, 10)

Needs torch and nothing else. The cells stand first, as in their drawing; what they are made of stands below them.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WEIGHTS = Path(__file__).with_name("weights.safetensors")
IMAGE_SIZE, CHANNELS, CLASSES = 8, 1, 10
MEAN, STD = (0.30592,), (0.37657,)  # of the pixels the network was trained on, in 0..1
NAMES: tuple[str, ...] = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9",)
Pair = tuple[int, int]


class NormalCell(nn.Module):
    """h0 is the older input, h1 the newer one:

    h2 = sep_3x3(h1) + avg_3x3(h0)
    output = [h2]
    """

    def __init__(self, older: int | None, newer: int, filters: int, larger: bool = False):
        super().__init__()
        self.fit = fit_older(older, filters, larger)
        self.begin = rectified(first=conv_bn(newer, filters, 1))
        width = newer if older is None else filters  # of h0
        self.h2_sep_3x3 = sep_3x3(filters, filters)
        self.h2_avg_3x3 = avg_3x3(width, filters)

    def forward(self, older: Tensor, newer: Tensor) -> Tensor:
        h0 = self.fit(older)
        h1 = self.begin(newer)
        h2 = self.h2_sep_3x3(h1) + self.h2_avg_3x3(h0)
        return h2


class ReductionCell(nn.Module):
    """Halves the map. h0 is the older input, h1 the newer one:

    h2 = sep_3x3(h1) + avg_3x3(h0)
    output = [h2]
    """

    def __init__(self, older: int | None, newer: int, filters: int, larger: bool = False):
        super().__init__()
        self.fit = fit_older(older, filters, larger)
        self.begin = rectified(first=conv_bn(newer, filters, 1))
        width = newer if older is None else filters  # of h0
        self.h2_sep_3x3 = sep_3x3(filters, filters, stride=2)
        self.h2_avg_3x3 = avg_3x3(width, filters, stride=2)

    def forward(self, older: Tensor, newer: Tensor) -> Tensor:
        h0 = self.fit(older)
        h1 = self.begin(newer)
        h2 = self.h2_sep_3x3(h1) + self.h2_avg_3x3(h0)
        return h2


class Network(nn.Module):
    """Stem, cells, classifier. A cell's arguments: channels of its older and newer input, its filters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_bn(CHANNELS, 24, 3)
        self.cells = nn.ModuleList(
            [
                NormalCell(None, 24, 8),
                ReductionCell(24, 8, 16),
                NormalCell(8, 16, 16, larger=True),
                ReductionCell(16, 16, 32),
                NormalCell(16, 32, 32, larger=True),
            ]
        )
        self.classifier = nn.Linear(32, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        older = newer = self.stem(images)
        for cell in self.cells:
            older, newer = newer, cell(older, newer)
        return self.classifier(F.relu(newer).mean(dim=(2, 3)))


def avg_3x3(channels: int, filters: int, stride: int = 1) -> nn.Module:
    return AveragePool(3, channels, filters, stride)


def sep_3x3(channels: int, filters: int, stride: int = 1) -> nn.Module:
    """ReLU, depthwise 3x3, 1x1, batch norm; then all of it once more."""
    first = separable_bn(channels, filters, 3, stride)
    return rectified(first=first, second=separable_bn(filters, filters, 3))


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


def batch_norm(filters: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(filters, eps=1e-05, momentum=0.3)


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
        layers[f"relu_{name}"] = nn.ReLU()
        layers[name] = unit
    return nn.Sequential(layers)


def pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value


def separable_bn(channels: int, filters: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Depthwise convolution, pointwise convolution, batch norm."""
    depthwise = Conv(channels, channels, pair(kernel), pair(stride), dilation, groups=channels)
    pointwise = Conv(channels, filters, (1, 1))
    return nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=pointwise, bn=batch_norm(filters)))


class AveragePool(nn.Module):
    """The mean of each window. Where the width changes, a 1x1 convolution and batch norm follow."""

    def __init__(self, kernel: int, channels: int, filters: int, stride: int):
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.fit = conv_bn(channels, filters, 1) if channels != filters else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = (same_padding(size, self.kernel, self.stride) for size in x.shape[2:])
        before, overhangs = (rows[0], columns[0]), rows[0] != rows[1] or columns[0] != columns[1]
        pooled = F.avg_pool2d(x, self.kernel, self.stride, before, overhangs, count_include_pad=False)
        return self.fit(pooled)


class FactorizedReduction(nn.Module):
    """Halves a map without losing pixels: a 1x1 convolution at stride 2, and one on the map moved up and left."""

    def __init__(self, channels: int, filters: int):
        super().__init__()
        self.path_1 = Conv(channels, filters // 2, (1, 1), (2, 2)) if filters > 1 else None
        self.path_2 = Conv(channels, filters - filters // 2, (1, 1), (2, 2))
        self.bn = batch_norm(filters)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        moved = self.path_2(F.pad(x, (-1, width % 2, -1, height % 2)))
        return self.bn(moved if self.path_1 is None else torch.cat([self.path_1(x), moved], dim=1))


def fit_older(channels: int | None, filters: int, larger: bool) -> nn.Module:
    """What gives the older input the cell's width and map; without an older output it is the newer one as it is."""
    if channels is None:
        return nn.Identity()
    if larger:
        return rectified(first=FactorizedReduction(channels, filters))
    if channels == filters:
        return nn.Identity()
    return rectified(first=conv_bn(channels, filters, 1))


def build(weights: str | Path | None = WEIGHTS) -> Network:
    """The network with the weights of a file, ready to use; None leaves new weights to train."""
    network = Network()
    if weights is not None:
        network.load_state_dict(read_safetensors(weights))
    return network.eval()


def read_safetensors(file: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file: 8 bytes say how long the JSON header is that says where each one lies."""
    types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}
    content = bytearray(Path(file).read_bytes())
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, stop = entry["data_offsets"]
            kind = types[entry["dtype"]]
            flat = torch.frombuffer(content, dtype=kind, count=(stop - start) // kind.itemsize, offset=begin + start)
            tensors[name] = flat.reshape(entry["shape"])
    return tensors


def normalised(pixels: Tensor) -> Tensor:
    """Bytes (B, H, W, C) as images (B, C, H, W), by MEAN and STD."""
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    return ((pixels / 255.0 - mean) / std).permute(0, 3, 1, 2).contiguous()


def main() -> None:
    """Count the parameters and classify one image of noise."""
    network = build()
    print(f"{sum(parameter.numel() for parameter in network.parameters()):,} parameters")
    shape = (1, IMAGE_SIZE, IMAGE_SIZE, CHANNELS)
    noise = torch.randint(0, 256, shape, generator=torch.Generator())
    with torch.inference_mode():
        logits = network(normalised(noise))[0]
    best = int(logits.argmax())
    print(f"one image of noise: class {NAMES[best] if NAMES else best}, logit {float(logits[best]):.4g}")


if __name__ == "__main__":
    main()
