"""Random images with random labels, for tests and benchmarks: `noise` (32x32x3) or `noise:SIZE`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas.errors import shortened
from nas.seeding import numpy_rng
from nas.training.datasets import Dataset, DatasetError, Images

_COUNTS = {"train": 512, "val": 256, "test": 256}


def noise(argument: str = "") -> Dataset:
    """Noise of this image size (8 to 1024; 32 where nothing is said) in three channels and ten
    classes."""
    if argument and not (
        argument.isascii() and argument.isdigit() and 8 <= int(argument[:9]) <= 1024
    ):
        raise DatasetError(
            f"noise:{shortened(argument)} is no image size; expected a number from 8 to 1024"
        )
    size = int(argument or 32)
    reader, count = _Reader(size), _COUNTS["test"]
    return Dataset(f"noise:{size}", 10, size, 3, (0.5,) * 3, (0.29,) * 3, reader, test_images=count)


@dataclass(frozen=True, slots=True)
class _Reader:
    size: int

    def __call__(self, split: str, data_dir: Path | None) -> Images:
        del data_dir
        rng = numpy_rng(0, "noise", self.size, split)
        shape = (_COUNTS[split], self.size, self.size, 3)
        return Images(
            rng.integers(0, 256, shape, dtype=np.uint8), rng.integers(0, 10, _COUNTS[split])
        )
