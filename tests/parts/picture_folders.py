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


ODD = ("a & <b>", "blau Äpfel 蓝", "red apples")  # names of folders, in the order of their labels
_MODES = ("RGB", "RGBA", "P", "L", "CMYK", "LA", "1")


def odd(folder: Path, parts: tuple[str, ...] = ("",), count: int = 12) -> Path:
    """Pictures of every mode, size and kind of file, in folders with odd names, a torn one in
    each; `parts` are folders such as train above those of the classes."""
    from PIL import Image

    rng = numpy_rng(0, "odd pictures")
    for part in parts:
        for label, name in enumerate(ODD):
            place = folder / part / name
            place.mkdir(parents=True)
            (place / "torn.jpg").write_text("no picture")
            for number in range(count):
                pixels = rng.integers(0, 120, (*rng.integers(9, 20, 2), 3))
                pixels[..., 2 - label] += 130
                mode = _MODES[number % len(_MODES)]
                suffix = "jpg" if mode == "CMYK" else ("png", "webp", "bmp")[number % 3]
                picture = Image.fromarray(pixels.astype(np.uint8)).convert(mode)
                if suffix == "bmp" and mode in ("LA", "RGBA"):
                    suffix = "png"
                picture.save(place / f"no {number} & é.{suffix}")
    return folder
