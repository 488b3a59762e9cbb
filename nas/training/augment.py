"""Images stay on the device as bytes; a batch is cut, turned and normalised there, all of its
images at once.

What happens to the images of an epoch is drawn before it, on the CPU: so every device, batch size
and restart sees the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor
from torch.nn import functional

from nas.training.recipe import Recipe

if TYPE_CHECKING:
    from nas.training.datasets import Images


@dataclass(frozen=True, slots=True)
class Draws:
    """What chance decided for one epoch, in the order in which the images come: (N,) and (N, 2) and
    (N, 2, 3)."""

    order: Tensor
    corner: Tensor | None
    flipped: Tensor | None
    hole: Tensor | None
    affine: Tensor | None
    color: Tensor | None = None

    def part(self, start: int, stop: int) -> Draws:
        """The draws of one batch."""
        rest = (self.corner, self.flipped, self.hole, self.affine, self.color)
        return Draws(
            self.order[start:stop], *(None if draw is None else draw[start:stop] for draw in rest)
        )


def drawn(
    recipe: Recipe, count: int, image_size: int, rng: torch.Generator, device: torch.device
) -> Draws:
    """The draws of an epoch over `count` images."""
    order = torch.randperm(count, generator=rng)
    corner = flipped = hole = affine = color = None
    if recipe.crop in ("pad", "upsample"):
        corner = torch.randint(0, 2 * recipe.crop_margin + 1, (count, 2), generator=rng).to(device)
    if recipe.flip:
        flipped = (torch.rand(count, generator=rng) < 0.5).to(device)
    if recipe.cutout:
        hole = torch.randint(0, image_size, (count, 2), generator=rng).to(device)
    if recipe.is_affine:
        affine = _affine(recipe, torch.rand((count, 5), generator=rng) * 2 - 1)
        if recipe.crop == "resized":
            affine = _in_window(affine, _windows(recipe, torch.rand((count, 4), generator=rng)))
        affine = affine.to(device)
    if recipe.color_jitter:
        color = (1 + recipe.color_jitter * (torch.rand((count, 3), generator=rng) * 2 - 1)).to(
            device
        )
    return Draws(order.to(device), corner, flipped, hole, affine, color)


@final
class Source:
    """One split on its device, as bytes in rows of pixels, with the margin that crops need."""

    def __init__(
        self,
        images: Images,
        mean: Sequence[float],
        std: Sequence[float],
        recipe: Recipe,
        device: torch.device,
    ) -> None:
        writable = (
            images.pixels if images.pixels.flags.writeable else images.pixels.copy()
        )  # a mapped file is not
        pixels = torch.from_numpy(writable)
        self.image_size = pixels.shape[1]
        self._recipe = recipe
        self._pixels = _with_margin(pixels, recipe).contiguous().to(device)
        self._labels = torch.from_numpy(images.labels).to(device)
        self._mean = torch.tensor([255.0 * value for value in mean], device=device)
        self._scale = torch.tensor([1.0 / (255.0 * value) for value in std], device=device)
        self._reach = torch.arange(self.image_size, device=device)

    def __len__(self) -> int:
        return len(self._labels)

    def augmented(self, draws: Draws) -> tuple[Tensor, Tensor]:
        """The batch of these draws: images (B, C, H, W) in channels-last layout, and labels
        (B,)."""
        images = self._normalised(self._cut(draws))
        if draws.affine is not None:
            images = moved(images, draws.affine)
        if draws.color is not None:
            images = recolored(images, draws.color)
        if draws.hole is not None:
            images = images * self._outside(draws.hole)
        return images, self._labels[draws.order]

    def plain(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """A batch as it is for evaluation: the middle of the image, in order."""
        margin = (self._pixels.shape[1] - self.image_size) // 2
        inner = slice(margin, margin + self.image_size)
        return self._normalised(self._pixels[start:stop, inner, inner]), self._labels[start:stop]

    def plain_batches(
        self, batch_size: int, first: int = 0, stride: int = 1
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """All images for evaluation, or from the first of these batches on each so-many-th of
        them."""
        for start in range(first * batch_size, len(self), stride * batch_size):
            yield self.plain(start, start + batch_size)

    def _cut(self, draws: Draws) -> Tensor:
        """Crop and flip in one gather of pixels: (B, H, W, C) bytes."""
        if draws.corner is None and draws.flipped is None:
            return self._pixels[draws.order]
        rows = cols = self._reach.expand(len(draws.order), -1)
        if draws.flipped is not None:
            cols = torch.where(draws.flipped[:, None], self.image_size - 1 - cols, cols)
        if draws.corner is not None:
            rows, cols = rows + draws.corner[:, :1], cols + draws.corner[:, 1:]
        side = self._pixels.shape[1]
        places = (draws.order[:, None] * side + rows)[:, :, None] * side + cols[:, None, :]
        return self._pixels.view(-1, self._pixels.shape[3])[places]

    def _normalised(self, pixels: Tensor) -> Tensor:
        return pixels.to(torch.float32).sub_(self._mean).mul_(self._scale).permute(0, 3, 1, 2)

    def _outside(self, hole: Tensor) -> Tensor:
        """1 where an image shows, 0 in its hole: (B, 1, H, W). A hole at the border is cut off by
        it."""
        half = self._recipe.cutout // 2
        near = [
            (self._reach >= hole[:, i, None] - half) & (self._reach < hole[:, i, None] + half)
            for i in (0, 1)
        ]
        return (~(near[0][:, None, :, None] & near[1][:, None, None, :])).to(torch.float32)


def moved(images: Tensor, affine: Tensor) -> Tensor:
    """The images under these affine maps; what comes in from outside repeats the border (nearest
    fill)."""
    grid = functional.affine_grid(affine, list(images.shape), align_corners=False)
    moved_images = functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return moved_images.contiguous(memory_format=torch.channels_last)


def recolored(images: Tensor, factors: Tensor) -> Tensor:
    """The images with these contrasts, saturations and brightnesses (B, 3), where 1 leaves an image
    as it is.

    Normalised pixels are what is changed: contrast about the mean of the image, saturation about
    its grey.
    """
    contrast, saturation, brightness = factors[:, :, None, None, None].unbind(1)
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    images = (images - middle) * contrast + middle
    grey = images.mean(dim=1, keepdim=True)
    return (images - grey) * saturation + grey + (brightness - 1)


def _windows(recipe: Recipe, chance: Tensor) -> Tensor:
    """Windows (N, 4) in the image, which spans -1..1: half widths, half heights, middles; from
    numbers in 0..1."""
    area = recipe.smallest_crop + (1 - recipe.smallest_crop) * chance[:, 0]
    shape = torch.exp(math.log(4 / 3) * (2 * chance[:, 1] - 1))
    width, height = (area * shape).sqrt().clamp(max=1), (area / shape).sqrt().clamp(max=1)
    x, y = ((1 - side) * (2 * chance[:, i] - 1) for i, side in ((2, width), (3, height)))
    return torch.stack([width, height, x, y], dim=1)


def _in_window(affine: Tensor, windows: Tensor) -> Tensor:
    """The maps into the whole image as maps into windows of it."""
    scaled = affine * windows[:, :2, None]
    return torch.cat([scaled[:, :, :2], scaled[:, :, 2:] + windows[:, 2:, None]], dim=2)


def _with_margin(pixels: Tensor, recipe: Recipe) -> Tensor:
    if recipe.crop in ("none", "resized") or recipe.crop_margin == 0:
        return pixels
    margin = recipe.crop_margin
    if recipe.crop == "pad":
        return functional.pad(pixels, (0, 0, margin, margin, margin, margin))
    side = pixels.shape[1] + 2 * margin
    chunks = [_enlarged(chunk, side) for chunk in torch.split(pixels, 1024)]
    return torch.cat(chunks)


def _enlarged(pixels: Tensor, side: int) -> Tensor:
    planes = pixels.permute(0, 3, 1, 2).to(torch.float32)
    larger = functional.interpolate(planes, (side, side), mode="bilinear", align_corners=False)
    return larger.round().to(torch.uint8).permute(0, 2, 3, 1)


def _affine(recipe: Recipe, chance: Tensor) -> Tensor:
    """Maps (N, 2, 3) from places in the new image to places in the old, from five numbers in -1..1
    each."""
    angle = chance[:, 0] * math.radians(recipe.rotation)
    shear = torch.tan(chance[:, 1] * math.radians(recipe.shear))
    scale = 1 + chance[:, 2] * recipe.zoom
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    shift = chance[:, 3:] * 2 * recipe.shift  # the image spans -1..1
    top = torch.stack([cos, cos * shear - sin, shift[:, 0]], dim=1)
    bottom = torch.stack([sin, sin * shear + cos, shift[:, 1]], dim=1)
    return torch.stack([top, bottom], dim=1)
