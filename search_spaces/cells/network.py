"""The whole network: a stem, the genotype's cells in their places, a head."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from search_spaces.cells.cell import CellModule, State
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.heads import AuxiliaryHead, Head
from search_spaces.cells.initial_weights import initialize
from search_spaces.cells.layers import Unit, conv_bn
from search_spaces.cells.membership import check_cells
from search_spaces.cells.nasbench201_network import NasBench201Network
from search_spaces.cells.path_noise import PathNoise
from search_spaces.cells.skeleton import SKELETONS, Place, Skeleton, auxiliary_index, stack
from search_spaces.errors import NetworkError

__all__ = ["SKELETONS", "CellModule", "NasBench201Network", "Network", "Skeleton", "build_network"]


def build_network(
    genotype: Genotype, skeleton: Skeleton, generator: torch.Generator | None = None
) -> Network | NasBench201Network:
    """The network of a genotype inside a skeleton, whatever its layout; `generator` draws its
    weights."""
    if skeleton.layout == "nasbench201":
        return NasBench201Network(genotype, skeleton, generator)
    return Network(genotype, skeleton, generator)


@final
class Network(nn.Module):
    """`stem`, `cells`, `head`: images (B, C, H, W) to logits (B, classes), wired as slim wires
    NASNet.

    Each cell's `cur` is the last output and its `prev` the one before; `stack` knows the
    exceptions.
    """

    def __init__(
        self, genotype: Genotype, skeleton: Skeleton, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        if skeleton.layout == "nasbench201":
            raise NetworkError(
                "the nasbench201 layout has a network of its own; call build_network"
            )
        check_cells(genotype, ("normal", "reduction"), inputs=2)
        self.genotype, self.skeleton = genotype, skeleton
        self.places = stack(skeleton)
        self.stem = _stem(skeleton)
        cells = _cells(genotype, skeleton, self.places)
        self.cells = nn.ModuleList(cells)
        self.stem_is_spare = not _settle_emissions(cells, self.places, skeleton)
        self.head = Head(cells[-1].out_channels, skeleton)
        self.auxiliary_cell = auxiliary_index(skeleton) if skeleton.auxiliary else None
        self.auxiliary: AuxiliaryHead | None = None
        if self.auxiliary_cell is not None:
            self.auxiliary = AuxiliaryHead(cells[self.auxiliary_cell].out_channels, skeleton)
        self.noise = PathNoise(cells, skeleton, self.head.channels)
        initialize(self, generator)

    def forward(self, images: Tensor) -> Tensor:
        """The logits."""
        return self._run(images, None)[0]

    def forward_with_auxiliary(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """The logits and, while training a network that has the auxiliary head, the auxiliary
        logits."""
        return self._run(images, self.auxiliary if self.training else None)

    def begin_step(
        self, step: int, batch_size: int, generator: torch.Generator | None = None
    ) -> None:
        """Tells ScheduledDropPath how far training is and, given a generator, draws this step's
        noise from it.

        Without a generator (or without this call) the forward pass draws from the device's default
        one.
        """
        self.noise.step.fill_(step)
        if generator is None:
            self.noise.forget()
        else:
            self.noise.draw(batch_size, generator)

    def _run(self, images: Tensor, auxiliary: AuxiliaryHead | None) -> tuple[Tensor, Tensor | None]:
        masks = self.noise.path_masks(images)
        reach = max(place.back or 1 for place in self.places)
        recent = [State(self.stem(images), spare=self.stem_is_spare)]
        extra = None
        for index, (place, cell) in enumerate(zip(self.places, self.cells, strict=True)):
            prev = None if place.back is None else recent[-place.back]
            output = cell(prev, recent[-1], masks[index])
            recent = [*recent, output][-reach:]
            if auxiliary is not None and index == self.auxiliary_cell:
                extra = auxiliary(output)
        return self.head(recent[-1], self.noise.feature_mask(images)), extra


def _stem(skeleton: Skeleton) -> Unit:
    """A 3x3 convolution and BN, no ReLU; on ImageNet at stride 2, VALID."""
    if skeleton.layout == "imagenet":
        return conv_bn(skeleton.channels, skeleton.stem_width, 3, skeleton, stride=2, valid=True)
    return conv_bn(skeleton.channels, skeleton.stem_width, 3, skeleton)


def _cells(genotype: Genotype, skeleton: Skeleton, places: tuple[Place, ...]) -> list[CellModule]:
    """Each cell, built for the channels and the map of the outputs it reads; outputs are (channels,
    halvings)."""
    outputs = [(skeleton.stem_width, 0)]
    cells = []
    for place in places:
        channels, halvings = outputs[-1]
        prev = None
        if place.back is not None:
            prev_channels, prev_halvings = outputs[-place.back]
            prev = (prev_channels, prev_halvings < halvings)
        cells.append(
            CellModule(
                genotype.cells[place.role], prev, channels, place.filters, place.stride, skeleton
            )
        )
        outputs.append((cells[-1].out_channels, halvings + place.stride - 1))
    return cells


def _settle_emissions(
    cells: list[CellModule], places: tuple[Place, ...], skeleton: Skeleton
) -> bool:
    """Tells each cell whether its output is read as it is or only through ReLU; says the same of
    the stem's.

    From the last cell to the first, because what a cell needs of its inputs depends on what is
    needed of it.
    """
    wanted = [False] * len(cells) + [not skeleton.relu_before_pool]
    for index in reversed(range(len(cells))):
        cell, back = cells[index], places[index].back
        cell.emit(wanted[index + 1])
        if cell.fit is None and cell.reads_map(0):
            wanted[index + 1 - (back or 1)] = True
    return wanted[0]
