"""The same networks written as plainly as papers' code is: one `nn.Sequential` per operation, each
with its own ReLU.

Nothing is shared, nothing happens in place, SAME padding is always explicit: a reference for speed,
and for outputs (`transplant` carries the weights over).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search_spaces.cells.genotype import Cell, Genotype, Node
from search_spaces.cells.skeleton import Skeleton


def padded(
    x: Tensor, kernel: tuple[int, int], stride: tuple[int, int], dilation: int, value: float
) -> Tensor:
    """The map with what SAME adds around it."""
    amounts: list[int] = []
    for axis in (1, 0):
        size = x.shape[2 + axis]
        out = (size + stride[axis] - 1) // stride[axis]
        total = max(0, (out - 1) * stride[axis] + (kernel[axis] - 1) * dilation + 1 - size)
        amounts += [total // 2, total - total // 2]
    return F.pad(x, amounts, value=value)


class PlainConv(nn.Module):
    """Pads, then convolves."""

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, kernel, stride, 0, dilation, groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        conv = self.conv
        x = padded(x, conv.kernel_size, conv.stride, conv.dilation[0], 0.0)  # type: ignore[arg-type]
        return conv(x)  # type: ignore[no-any-return]


class PlainPool(nn.Module):
    """Pads with zeros (or -inf), pools, and divides the sum by the number of real pixels."""

    def __init__(self, kind: str, side: int, stride: int) -> None:
        super().__init__()
        self.kind, self.kernel, self.stride = kind, (side, side), (stride, stride)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "max":
            return F.max_pool2d(
                padded(x, self.kernel, self.stride, 1, -torch.inf), self.kernel, self.stride
            )
        sums = F.avg_pool2d(padded(x, self.kernel, self.stride, 1, 0.0), self.kernel, self.stride)
        ones = torch.ones_like(x[:1, :1])
        return sums / F.avg_pool2d(
            padded(ones, self.kernel, self.stride, 1, 0.0), self.kernel, self.stride
        )


class PlainReduction(nn.Module):
    """A factorized reduction by padding and cropping."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.path_1 = nn.Conv2d(channels, filters // 2, 1, bias=False)
        self.path_2 = nn.Conv2d(channels, filters - filters // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        shifted = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return torch.cat(
            [self.path_1(x[:, :, ::2, ::2]), self.path_2(shifted[:, :, ::2, ::2])], dim=1
        )


class PlainZero(nn.Module):
    """Zeros."""

    def __init__(self, filters: int, stride: int) -> None:
        super().__init__()
        self.filters, self.stride = filters, stride

    def forward(self, x: Tensor) -> Tensor:
        return 0 * x[:, :1, :: self.stride, :: self.stride].expand(-1, self.filters, -1, -1)


class Plain:
    """Makes the operations of one reading (`literal`, `nds` or `tpu`) with one kind of batch
    norm."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton

    def bn(self, filters: int) -> nn.Module:
        return nn.BatchNorm2d(filters, eps=self.skeleton.bn_eps, momentum=self.skeleton.bn_momentum)

    def conv(
        self, channels: int, filters: int, rows: int, columns: int, *, s: int = 1, d: int = 1
    ) -> list[nn.Module]:
        strides = (s if rows > 1 or columns == 1 else 1, s if columns > 1 or rows == 1 else 1)
        return [
            nn.ReLU(),
            PlainConv(channels, filters, (rows, columns), strides, d),
            self.bn(filters),
        ]

    def separable(
        self, channels: int, filters: int, side: int, s: int, d: int = 1
    ) -> list[nn.Module]:
        depthwise = PlainConv(channels, channels, (side, side), (s, s), d, groups=channels)
        return [nn.ReLU(), depthwise, PlainConv(channels, filters, (1, 1)), self.bn(filters)]

    def reduction(self, channels: int, filters: int, *, relu: bool) -> nn.Module:
        front = [nn.ReLU()] if relu else []
        return nn.Sequential(*front, PlainReduction(channels, filters), self.bn(filters))

    def squeezed(
        self, width: int, channels: int, filters: int, s: int, *sides: tuple[int, int], d: int = 1
    ) -> nn.Module:
        """The convolutions, inside a bottleneck where the TPU code has one."""
        if self.skeleton.op_semantics != "tpu" or width == 0:
            inner, entry, end = filters, channels, []
            front: list[nn.Module] = []
        else:
            inner, entry = width, width
            front, end = self.conv(channels, width, 1, 1), self.conv(width, filters, 1, 1)
        body: list[nn.Module] = []
        for rows, columns in sides:
            body += self.conv(entry, inner, rows, columns, s=s, d=d)
            entry = inner
        return nn.Sequential(*front, *body, *end)

    def op(self, name: str, channels: int, filters: int, s: int) -> nn.Module:
        """The operation of this name."""
        nds = self.skeleton.op_semantics == "nds"
        kind, _, size = name.partition("_")
        side = int(size[0]) if size else 0
        if name == "none":
            return PlainZero(filters, s)
        if name == "identity":
            if s == 2 and nds:
                return self.reduction(channels, filters, relu=True)
            return (
                nn.Identity()
                if (s, channels) == (1, filters)
                else nn.Sequential(*self.conv(channels, filters, 1, 1, s=s))
            )
        if kind in ("max", "avg"):
            fit = (
                []
                if channels == filters
                else [PlainConv(channels, filters, (1, 1)), self.bn(filters)]
            )
            return nn.Sequential(PlainPool(kind, side, s), *fit)
        if kind == "sep":
            return nn.Sequential(
                *self.separable(channels, filters, side, s),
                *self.separable(filters, filters, side, 1),
            )
        if kind == "dil":
            if nds:
                return nn.Sequential(*self.separable(channels, filters, side, s, 2))
            return self.squeezed(filters // 4, channels, filters, s, (side, side), d=2)
        if name == "conv_1x1":
            return nn.Sequential(*self.conv(channels, filters, 1, 1, s=s))
        if name == "conv_3x3":
            return self.squeezed(filters // 4, channels, filters, s, (3, 3))
        long = int(name[-3])
        if nds:
            row, column = (
                PlainConv(channels, filters, (1, long), (1, s)),
                PlainConv(filters, filters, (long, 1), (s, 1)),
            )
            return nn.Sequential(nn.ReLU(), row, column, self.bn(filters))
        width = int(3 * filters / 8) if long == 3 else int(filters / 4)
        return self.squeezed(width, channels, filters, s, (1, long), (long, 1))


class PlainNode(nn.Module):
    def __init__(
        self, make: Plain, node: Node, widths: list[int], inputs: int, filters: int, stride: int
    ) -> None:
        super().__init__()
        self.node = node
        self.ops = nn.ModuleList(
            make.op(edge.op, widths[edge.source], filters, stride if edge.source < inputs else 1)
            for edge in node.edges
        )
        width = filters * len(node.edges)
        self.join = (
            nn.Sequential(*make.conv(width, filters, 1, 1)) if node.combine == "concat" else None
        )

    def forward(self, states: list[Tensor]) -> Tensor:
        results = [
            op(states[edge.source]) for edge, op in zip(self.node.edges, self.ops, strict=True)
        ]
        return (
            self.join(torch.cat(results, dim=1))
            if self.join is not None
            else sum(results[1:], results[0])
        )  # type: ignore[no-any-return]


class PlainCell(nn.Module):
    def __init__(
        self,
        make: Plain,
        cell: Cell,
        prev: tuple[int, int] | None,
        cur: tuple[int, int],
        filters: int,
        stride: int,
    ) -> None:
        super().__init__()
        self.outputs = cell.output_states
        self.out = (filters * len(self.outputs), cur[1] * stride)
        self.begin = nn.Sequential(*make.conv(cur[0], filters, 1, 1))
        self.raw = prev is None
        self.fit: nn.Module | None = None
        if prev is not None and prev[1] != cur[1]:
            self.fit = make.reduction(prev[0], filters, relu=True)
        elif prev is not None and (prev[0] != filters or make.skeleton.always_fit):
            self.fit = nn.Sequential(*make.conv(prev[0], filters, 1, 1))
        widths = [cur[0] if prev is None else filters, *[filters] * (1 + len(cell.nodes))]
        self.nodes = nn.ModuleList(
            PlainNode(make, node, widths, 2, filters, stride) for node in cell.nodes
        )
        self.align = nn.ModuleDict()
        for state in self.outputs:
            if state < 2 and stride == 2:
                self.align[str(state)] = make.reduction(widths[state], filters, relu=False)
            elif state < 2 and widths[state] != filters:
                self.align[str(state)] = nn.Sequential(
                    PlainConv(widths[state], filters, (1, 1)), make.bn(filters)
                )

    def forward(self, prev: Tensor | None, cur: Tensor) -> Tensor:
        older = cur if prev is None else prev if self.fit is None else self.fit(prev)
        states = [older, self.begin(cur)]
        for node in self.nodes:
            states.append(node(states))
        parts = [
            self.align[str(s)](states[s]) if str(s) in self.align else states[s]
            for s in self.outputs
        ]
        return torch.cat(parts, dim=1)


class PlainNetwork(nn.Module):
    """Slim's loop over cells with its `prev_layer` bookkeeping."""

    def __init__(self, genotype: Genotype, skeleton: Skeleton) -> None:
        super().__init__()
        self.skeleton, self.genotype, self.make = skeleton, genotype, Plain(skeleton)
        imagenet = skeleton.layout == "imagenet"
        self.stem = nn.Sequential(
            nn.Conv2d(skeleton.channels, skeleton.stem_width, 3, 2, 0, bias=False)
            if imagenet
            else PlainConv(skeleton.channels, skeleton.stem_width, (3, 3)),
            self.make.bn(skeleton.stem_width),
        )
        self.cells = nn.ModuleList()
        self.inputs: list[
            int | None
        ] = []  # for each cell the output that is its `prev`; output 0 is the stem's
        self.outs = [(skeleton.stem_width, 1)]
        for share in (4, 2) if imagenet else ():
            self._append("reduction", int(skeleton.filters / share), 2, self._before())
        self._stages()
        self.linear = nn.Linear(self.outs[-1][0], skeleton.classes)

    def _stages(self) -> None:
        skeleton, filters = self.skeleton, self.skeleton.filters
        prev = self._before()
        for number in range(3 * skeleton.cells_per_stage):
            reduces = number in (skeleton.cells_per_stage, 2 * skeleton.cells_per_stage)
            filters *= 2 if reduces else 1
            if skeleton.reduction == "replace":
                if skeleton.skip_reduction_input or not reduces:
                    prev = self._before()
                self._append(
                    "reduction" if reduces else "normal", filters, 2 if reduces else 1, prev
                )
                continue
            if skeleton.skip_reduction_input:
                prev = self._before()
            if reduces:
                self._append("reduction", filters, 2, self._before())
            if not skeleton.skip_reduction_input:
                prev = self._before()
            self._append("normal", filters, 1, prev)

    def _before(self) -> int | None:
        if len(self.outs) > 1:
            return len(self.outs) - 2
        return 0 if self.skeleton.first_input == "stem" else None

    def _append(self, role: str, filters: int, stride: int, prev: int | None) -> None:
        older = None if prev is None else self.outs[prev]
        cell = PlainCell(
            self.make, self.genotype.cells[role], older, self.outs[-1], filters, stride
        )
        self.cells.append(cell)
        self.inputs.append(prev)
        self.outs.append(cell.out)

    def forward(self, images: Tensor) -> Tensor:
        outputs = [self.stem(images)]
        for cell, prev in zip(self.cells, self.inputs, strict=True):
            outputs.append(cell(None if prev is None else outputs[prev], outputs[-1]))
        last = torch.relu(outputs[-1]) if self.skeleton.relu_before_pool else outputs[-1]
        return self.linear(last.mean(dim=(2, 3)))  # type: ignore[no-any-return]


def transplant(source: nn.Module, target: nn.Module) -> None:
    """Copies weights and statistics; both networks hold the same layers in the same order."""
    layers = (nn.Conv2d, nn.BatchNorm2d, nn.Linear)
    ours = [module for module in source.modules() if isinstance(module, layers)]
    theirs = [module for module in target.modules() if isinstance(module, layers)]
    for one, other in zip(ours, theirs, strict=True):
        other.load_state_dict(one.state_dict())
