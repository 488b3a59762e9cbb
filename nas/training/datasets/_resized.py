"""A dataset with its pictures at another size, made smaller or larger in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

import numpy as np

from nas.training.datasets import Dataset, Images, Pixels, pictures_of

_AT_ONCE: Final = 4096  # pictures, as decimals take four times their room


@final
@dataclass(frozen=True, slots=True)
class _Resized:
    """Reads what another dataset reads, at this size."""

    source: Dataset
    image_size: int

    def __call__(self, split: str, data_dir: Path | None) -> Images:
        """The pictures of a split; those of the search splits are read once by this process."""
        del data_dir  # the source knows it
        return at_size(pictures_of(self.source, split), self.image_size)

    def lies_in(self, folder: Path) -> bool:
        """Whether the files of the source are there."""
        found = getattr(self.source.read, "lies_in", None)
        return found is None or bool(found(folder))


def resized(dataset: Dataset, image_size: int) -> Dataset:
    """The dataset with square pictures of this size; means and deviations stay those that it
    names."""
    if image_size == dataset.image_size:
        return dataset
    return replace(dataset, image_size=image_size, read=_Resized(dataset, image_size))


def at_size(images: Images, size: int) -> Images:
    """These pictures at this height and width."""
    if images.pixels.shape[1:3] == (size, size):
        return images
    return Images(_resized(images.pixels, size), images.labels)


def _resized(pixels: Pixels, size: int) -> Pixels:
    """Pixels (N, H, W, C) at this height and width: bilinear, with means of what is left out."""
    import torch
    from torch.nn import functional

    made = np.empty((len(pixels), size, size, pixels.shape[3]), np.uint8)
    for start in range(0, len(pixels), _AT_ONCE):
        some = torch.from_numpy(np.ascontiguousarray(pixels[start : start + _AT_ONCE]))
        maps = functional.interpolate(
            some.permute(0, 3, 1, 2).float(), (size, size), mode="bilinear", antialias=True
        )
        made[start : start + len(some)] = maps.round().clamp(0, 255).byte().permute(0, 2, 3, 1)
    return made
