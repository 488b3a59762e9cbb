"""CIFAR-10 as mosaics, one picture of 100 x 100 images for each official batch, to travel."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

_SIDE, _IMAGE = 100, 32
_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


def mosaics_in(place: Path) -> Path | None:
    """The folder of mosaics below this one, with the labels beside it."""
    for home in (place, place / "cifar10"):
        for folder in (home / "lossless", home / "compact"):
            if (home / "labels.npz").is_file() and _files(folder):
                return folder
    return None


def as_official_layout(folder: Path, home: Path) -> Path:
    """The same images as the official python batches; made once."""
    home.mkdir(parents=True, exist_ok=True)
    with np.load(folder.parent / "labels.npz") as stored:
        labels = {split: stored[split] for split in ("train", "test")}
    for number, (name, file) in enumerate(zip(_BATCHES, _files(folder), strict=True)):
        if (home / name).is_file():
            continue
        split = labels["test"] if name == "test_batch" else labels["train"][number * 10_000 :]
        rows = _rows(file)
        content = {b"data": rows, b"labels": [int(label) for label in split[: len(rows)]]}
        draft = home / f".{name}"
        draft.write_bytes(pickle.dumps(content))
        draft.replace(home / name)
    return home


def _files(folder: Path) -> list[Path]:
    found = [next(iter(sorted(folder.glob(f"{name}.*"))), None) for name in _BATCHES]
    return [file for file in found if file is not None] if all(found) else []


def _rows(file: Path) -> np.ndarray:
    """Tile by tile, row by row: (N, 3072), each image as its three planes."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(file) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    tiles = pixels.reshape(_SIDE, _IMAGE, _SIDE, _IMAGE, 3).transpose(0, 2, 4, 1, 3)
    return np.ascontiguousarray(tiles.reshape(_SIDE * _SIDE, 3 * _IMAGE * _IMAGE))
