"""NAS-Bench-201's own skeleton: stem, three stages of one cell each N times, residual blocks
between them, head."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search_spaces.cells.cell import State, make_nodes
from search_spaces.cells.genotype import Cell, Genotype
from search_spaces.cells.heads import Head
from search_spaces.cells.initial_weights import initialize
from search_spaces.cells.layers import BatchNorm, Conv, Rectified, conv_bn
from search_spaces.cells.membership import check_cells
from search_spaces.cells.skeleton import Skeleton, stack
from search_spaces.errors import NetworkError, shortened


@final
class NasBench201Network(nn.Module):
    """`stem`, `cells` (residual blocks among them), `bn`, `head`: images (B, C, H, W) to logits (B,
    classes)."""

    def __init__(
        self, genotype: Genotype, skeleton: Skeleton, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        check_cells(genotype, ("normal",), inputs=1)
        cell = genotype.cells["normal"]
        if len(cell.output_states) != 1:
            raise NetworkError(
                f"the nasbench201 layout needs a cell with one output state, but its outputs are "
                f"{shortened(cell.output_states)}; use the cifar layout or another genotype"
            )
        self.genotype, self.skeleton = genotype, skeleton
        self.places = stack(skeleton)
        style = replace(skeleton, alignment="symmetric")
        self.stem = conv_bn(skeleton.channels, skeleton.stem_width, 3, style)
        widths = [skeleton.stem_width, *(place.filters for place in self.places)]
        self.cells = nn.ModuleList(
            NasBench201Cell(cell, filters, style)
            if place.role == "normal"
            else ResidualReduction(before, filters, style)
            for place, before, filters in zip(self.places, widths, widths[1:], strict=False)
        )
        self.bn = BatchNorm(widths[-1], style)
        self.head = Head(widths[-1], skeleton)
        initialize(self, generator)

    def forward(self, images: Tensor) -> Tensor:
        """The logits."""
        state = State(self.stem(images))
        for cell in self.cells:
            state = cell(state)
        return self.head(State(self.bn(state.map), spare=True))  # type: ignore[no-any-return]

    def forward_with_auxiliary(self, images: Tensor) -> tuple[Tensor, None]:
        """The logits; there is no auxiliary head."""
        return self(images), None

    def begin_step(
        self, step: int, batch_size: int, generator: torch.Generator | None = None
    ) -> None:
        """Nothing: this network drops neither paths nor features."""


@final
class NasBench201Cell(nn.Module):
    """A cell with one input, state 0; every operation keeps width and map."""

    def __init__(self, cell: Cell, filters: int, style: Skeleton) -> None:
        super().__init__()
        self.nodes = make_nodes(cell, (filters,), filters, 1, style)
        self.output = cell.output_states[0]

    def forward(self, state: State) -> State:
        states = [state]
        for node in self.nodes:
            states.append(State(node(states)))
        return states[self.output]


@final
class ResidualReduction(nn.Module):
    """A residual block at stride 2 that doubles the width; its short cut averages 2x2 pixels."""

    def __init__(self, channels: int, filters: int, style: Skeleton) -> None:
        super().__init__()
        self.first = Rectified(conv_bn(channels, filters, 3, style, stride=2))
        self.second = Rectified(conv_bn(filters, filters, 3, style))
        self.short_cut = Conv(channels, filters, 1, style)

    def forward(self, state: State) -> State:
        # An odd map's last pixels are averaged among themselves, so that both ways halve it alike.
        short_cut = self.short_cut(F.avg_pool2d(state.map, 2, ceil_mode=True))
        long_way = self.second.after_relu(torch.relu_(self.first.after_relu(state.rectified)))
        return State(short_cut.add_(long_way))
