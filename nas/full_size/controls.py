"""Arms that a searched cell is compared with: a random cell of its space, and a plain residual
network."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from nas.errors import NasError, known_names
from nas.exporting.choosing import Choice
from nas.full_size.fitting import Target, widest
from nas.registry import load, names
from nas.seeding import numpy_rng
from search_spaces.cells.cost import macs
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.initial_weights import initialize
from search_spaces.cells.layers import BatchNorm, Conv, Linear
from search_spaces.cells.skeleton import Skeleton

CONTROLS = ("random-cell", "resnet")
_BLOCKS = 2  # of a stage: with four stages, the plan of ResNet-18


def check_controls(given: list[str]) -> list[str]:
    """The controls of these names."""
    for name in given:
        if name not in CONTROLS:
            raise NasError(known_names(name, CONTROLS, "control"))
    return given


def random_cell(choice: Choice, seed: int) -> Choice:
    """Another genotype of the same space, drawn by chance alone."""
    space = choice.genotype.space
    if space not in names("space") or space == "table":
        raise NasError(
            f"no cell can be drawn from space {space!r}; leave random-cell out of --controls"
        )
    genotype: Genotype = load("space", space)().sample(numpy_rng(seed, "transfer", "random-cell"))
    return Choice(
        genotype=genotype, name="random-cell", title="a random cell", origin={"drawn from": space}
    )


@final
class ResidualNetwork(nn.Module):
    """Basic residual blocks (He et al. 2015, section 4.1), stages of width F, 2F, 4F and, on large
    images, 8F.

    Its stem is that of the skeleton it stands beside: 3x3, and at stride 2 with a pool behind it on
    ImageNet.
    """

    def __init__(
        self, filters: int, skeleton: Skeleton, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        large = skeleton.layout == "imagenet"
        self.stem = Conv(skeleton.channels, filters, 3, skeleton, stride=2 if large else 1)
        self.stem_bn = BatchNorm(filters, skeleton)
        self.pool = nn.MaxPool2d(3, 2, 1) if large else nn.Identity()
        widths = [filters * 2**stage for stage in range(4 if large else 3)]
        blocks: list[nn.Module] = []
        before = filters
        for stage, width in enumerate(widths):
            for block in range(_BLOCKS):
                blocks.append(_Block(before, width, 2 if stage and not block else 1, skeleton))
                before = width
        self.blocks = nn.Sequential(*blocks)
        self.linear = Linear(before, skeleton.classes)
        initialize(self, generator)

    def forward(self, images: Tensor) -> Tensor:
        x = self.pool(torch.relu(self.stem_bn(self.stem(images))))
        return self.linear(self.blocks(x).mean(dim=(2, 3)))  # type: ignore[no-any-return]


@final
class _Block(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int, skeleton: Skeleton) -> None:
        super().__init__()
        self.first = Conv(channels, filters, 3, skeleton, stride=stride)
        self.first_bn = BatchNorm(filters, skeleton)
        self.second = Conv(filters, filters, 3, skeleton)
        self.second_bn = BatchNorm(filters, skeleton)
        self.short_cut: nn.Module = nn.Identity()
        if stride > 1 or channels != filters:
            projection = Conv(channels, filters, 1, skeleton, stride=stride)
            self.short_cut = nn.Sequential(projection, BatchNorm(filters, skeleton))

    def forward(self, x: Tensor) -> Tensor:
        long_way = self.second_bn(self.second(torch.relu(self.first_bn(self.first(x)))))
        return torch.relu(long_way + self.short_cut(x))


def resnet_width(skeleton: Skeleton, target: Target) -> int:
    """The filters with which a residual network costs at most so many multiply-adds."""
    shape = (skeleton.channels, skeleton.image_size, skeleton.image_size)

    def cost(filters: int) -> int:
        with torch.device("meta"):
            return macs(ResidualNetwork(filters, skeleton), shape)

    width = widest(cost, target)
    if target.falls_short(cost(width)):
        raise NasError(
            f"a residual network of {width} filters has {cost(width):,} multiply-adds, and one of "
            f"{width + 1} has {cost(width + 1):,}: none is within {target.within:g} % below "
            f"{target.limit:,}; ask for one of these with --target-macs, or raise --within"
        )
    return width
