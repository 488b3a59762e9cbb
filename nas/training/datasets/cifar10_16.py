"""CIFAR-10 at half its size, for processors: 16x16 pictures, each pixel the mean of four.

The splits are those of CIFAR-10, but for half of the validation images, which cost much here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nas.training.datasets import Images, Reader
from nas.training.datasets.cifar10 import cifar10
from nas.training.recipe import Preset, Recipe


@dataclass(frozen=True, slots=True)
class Halved:
    """Reads what another reads, at half the size, and validates on so many images."""

    read: Reader
    validation: int

    def __call__(self, split: str, data_dir: Path | None) -> Images:
        images = self.read(split, data_dir)
        count, side, _, channels = images.pixels.shape
        fours = images.pixels.reshape(count, side // 2, 2, side // 2, 2, channels)
        halved = np.rint(fours.mean((2, 4), dtype=np.float32)).astype(np.uint8)
        small = Images(halved, images.labels)
        return small.fewer(self.validation) if split == "val" else small


cifar10_16 = replace(
    cifar10,
    name="cifar10-16",
    image_size=16,
    mean=(0.4914, 0.4824, 0.4468),
    std=(0.2381, 0.2347, 0.2537),
    read=Halved(cifar10.read, validation=2_500),
    preset="cifar10-16",
    final="fit",
    presets={
        # Children of half a minute: records of hundreds of them can be had on a processor.
        "cifar10-16": Preset(
            Recipe(
                epochs=4,
                train_images=4_000,
                learning_rate=0.1,
                crop="pad",
                crop_margin=2,
                flip=True,
            ),
            {"cells_per_stage": 1, "filters": 8},
        ),
    },
)
