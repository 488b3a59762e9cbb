"""A small folder of pictures: classes are colours, so that a small network learns them in a few
steps."""

from pathlib import Path

import numpy as np

from nas.seeding import numpy_rng

COLOURS = ("blue", "green", "red")  # in the order of their labels


def coloured(folder: Path, train: int = 16, val: int = 6, size: int = 12) -> Path:
    """`folder/train` and `folder/val` with so many pictures of each colour."""
    from PIL import Image

    rng = numpy_rng(0, "pictures")
    for part, count in (("train", train), ("val", val)):
        for label, name in enumerate(COLOURS):
            place = folder / part / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 120, (size, size, 3))
                pixels[..., 2 - label] += 130
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{number}.png")
    return folder
