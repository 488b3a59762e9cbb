"""One picture file as a square of RGB bytes: grey, palette, transparent, CMYK and 16-bit ones alike
(needs Pillow)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np

from nas.training.datasets import DatasetError, Pixels

_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
)
MOST_PIXELS = 64_000_000  # some bytes of a file can hold thousands of millions
_one_at_a_time = Lock()  # filters of warnings belong to the whole process
_SIXTEEN_BITS = ("PNG", "PPM")  # formats that have no more, though Pillow reads them into 32


def is_picture(file: Path) -> bool:
    """Whether a file is called like a picture."""
    return file.suffix.lower() in _SUFFIXES and not file.name.startswith(".")


def shorter_side(file: Path) -> int | None:
    """The shorter side in pixels, from the header alone; None where there is no readable header."""
    try:
        with _opened(file) as image:
            return int(min(image.size))
    except _unreadable():
        return None


def decoded(file: Path, size: int) -> Pixels | None:
    """The picture, its middle square scaled to `size`, as (size, size, 3); None where it cannot be
    decoded, or has more pixels than fit into a GiB on the way.

    32-bit and floating-point pictures do not say which value is white, so they count as such.
    """
    from PIL import ImageOps

    library = _pillow()
    try:
        with _opened(file) as image:
            if math.prod(image.size) > MOST_PIXELS:
                return None
            if image.mode == "F" or (image.mode == "I" and image.format not in _SIXTEEN_BITS):
                return None
            upright = ImageOps.exif_transpose(image)
            square = ImageOps.fit(
                _in_rgb(upright, library), (size, size), library.Resampling.BILINEAR
            )
            return np.asarray(square, dtype=np.uint8)
    except _unreadable():
        return None


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """The file with its header read; how many pixels are too many is for us to say."""
    library = _pillow()
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore", library.DecompressionBombWarning)
        image = library.open(file)
    with image:
        yield image


def _in_rgb(image: Any, library: ModuleType) -> Any:
    """In three bytes a pixel; what is transparent shows a white ground."""
    if image.mode.startswith("I"):
        return library.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = library.new("RGBA", image.size, (255, 255, 255, 255))
        return library.alpha_composite(ground, image).convert("RGB")
    return image.convert("RGB")


def _unreadable() -> tuple[type[Exception], ...]:
    return (OSError, ValueError, SyntaxError, _pillow().DecompressionBombError)


def _pillow() -> ModuleType:
    try:
        from PIL import Image
    except ImportError as problem:
        raise DatasetError(
            "image-folder reads pictures with Pillow, which is missing here; pip install "
            "'nas-toolkit[images]'"
        ) from problem
    return Image
