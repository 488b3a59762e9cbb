"""Small files in the layouts that datasets read."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

_TEN_FILES = [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]
CIFAR = {
    "cifar10": ("cifar-10-batches-py", _TEN_FILES, b"labels", 10),
    "cifar10-16": ("cifar-10-batches-py", _TEN_FILES, b"labels", 10),
    "cifar100": ("cifar-100-python", ["train", "test"], b"fine_labels", 100),
}


def write_cifar(place: Path, name: str, images: int = 6_000) -> Path:
    """A CIFAR folder with so many tiny-entropy training images and 50 test images."""
    folder, files, labels_key, classes = CIFAR[name]
    rng = np.random.default_rng(0)
    (place / folder).mkdir(parents=True)
    for file in files:
        count = 50 if file.startswith("test") else images // (len(files) - 1)
        content = {
            b"data": np.repeat(rng.integers(0, 256, (count, 1), dtype=np.uint8), 3072, axis=1),
            labels_key: (np.arange(count) % classes).tolist(),
        }
        (place / folder / file).write_bytes(pickle.dumps(content, protocol=2))
    return place / folder


def write_pictures(root: Path, parts: tuple[str, ...] = (), per_class: int = 20) -> Path:
    """Class folders `cat` and `dog` of small pictures, in these parts (or right in the root)."""
    from PIL import Image

    rng = np.random.default_rng(1)
    for part in parts or ("",):
        for name in ("cat", "dog"):
            folder = root / part / name
            folder.mkdir(parents=True)
            for number in range(per_class):
                pixels = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    return root
