"""Any folder of class folders: `image-folder:DIR`, decoded once into memory-mapped arrays.

`DIR/train`, `DIR/val` and `DIR/test` hold one folder per class. What is missing is taken from
`train` (or from DIR itself where it holds the class folders), every class alike: a tenth to
validate, a tenth for the final test. With `train` and `val` alone, `val` is the final split, for
nobody who published a `val` meant it to steer a search.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from nas.errors import counted, shortened
from nas.training.datasets import Dataset, DatasetError, Images, Pixels, cache_folder
from nas.training.datasets._pictures import MOST_PIXELS, decoded, is_picture, shorter_side
from nas.training.datasets._splits import stratified
from nas.training.recipe import SMALLEST_IMAGENET_IMAGE, Preset, Recipe

_LARGEST, _SMALLEST = 224, 8
_QUICK, _SEEN = "pictures-quick", 20_000  # the preset; pictures that a child sees, over all epochs
_FORMAT = 2  # what is kept in caches, and how pictures are decoded
_LARGEST_TABLE = 10_000_000


@dataclass(frozen=True, slots=True)
class _Picture:
    file: Path
    label: int


@dataclass(frozen=True, slots=True)
class _Reader:
    """Finds the splits in the arrays of one cache folder."""

    cache: Path
    parts: tuple[str, ...]

    def __call__(self, split: str, data_dir: Path | None) -> Images:
        del data_dir
        part = _part_of(split, self.parts)
        if part is not None:
            return self._stored(part)
        whole = self._stored(self.parts[0])
        sizes = self._pieces(len(whole))
        pieces = stratified(whole.labels, list(sizes.values()), seed=0, purpose="folder")
        return whole.at(pieces[list(sizes).index(split)])

    def count(self, split: str) -> int:
        """How many images a split has; none is read."""
        part = _part_of(split, self.parts)
        whole = len(np.load(self.cache / f"{part or self.parts[0]}-labels.npy", mmap_mode="r"))
        return whole if part is not None else self._pieces(whole)[split]

    def _pieces(self, whole: int) -> dict[str, int]:
        """How many images each split takes from the first part, where it has no part of its own."""
        tenth = max(1, whole // 10)
        taken = [name for name in ("test", "val") if _part_of(name, self.parts) is None]
        return {**dict.fromkeys(taken, tenth), "train": whole - tenth * len(taken)}

    def _stored(self, part: str) -> Images:
        labels = np.load(self.cache / f"{part}-labels.npy")
        return Images(np.load(self.cache / f"{part}.npy", mmap_mode="r")[: len(labels)], labels)


def image_folder(
    argument: str = "",
    data_dir: Path | None = None,
    image_size: int | None = None,
    skip_corrupt: bool = False,
) -> Dataset:
    """The dataset in this folder; the image size is the median of the shorter sides (8 to 224)
    where none is given."""
    if not argument and data_dir is None:
        raise DatasetError(
            "image-folder needs a folder; say image-folder:DIR, where DIR holds one folder per "
            "class"
        )
    root = Path(argument or data_dir or "").expanduser()
    names, parts = _surveyed(root)
    pictures = [picture for part in parts.values() for picture in part]
    size = _chosen_size(image_size, pictures)
    cache = cache_folder() / "image-folder" / _key(root, pictures, size, skip_corrupt)
    if not cache.is_dir():
        _fill(cache, parts, size, skip_corrupt)
    facts = json.loads((cache / "facts.json").read_text())
    reader = _Reader(cache, tuple(parts))
    return Dataset(
        f"image-folder:{root}",
        len(names),
        size,
        3,
        tuple(facts["mean"]),
        tuple(facts["std"]),
        reader,
        preset=_QUICK,
        presets={_QUICK: _quick_preset(size, reader.count("train"))},
        class_names=_names_for_people(root, names),
        test_images=reader.count("test"),
        left_out=len((cache / "corrupt.txt").read_text().splitlines()),
    )


def _quick_preset(size: int, count: int) -> Preset:
    """How children of a search are trained, scaled to the pictures: quick, and all alike.

    Few pictures are seen more often, and large ones are halved before the first cell.
    """
    many = count >= 640
    recipe = Recipe(
        epochs=min(max(math.ceil(_SEEN / count), 6), 20),
        batch_size=64 if many else 16,
        train_images=10_000,
        learning_rate=0.1 if many else 0.05,
        crop="pad",
        crop_margin=max(1, size // 8),
        flip=True,
    )
    layout = "cifar" if size < SMALLEST_IMAGENET_IMAGE else "imagenet"
    return Preset(recipe, {"cells_per_stage": 1, "filters": 8, "layout": layout})


def _names_for_people(root: Path, folders: Sequence[str]) -> tuple[str, ...]:
    """What the classes are called; `classes.tsv` may give each folder a name for people."""
    spoken = _spoken_names(root / "classes.tsv")
    return tuple(spoken.get(name, name) for name in folders)


def _spoken_names(file: Path) -> dict[str, str]:
    """The first two columns of a table: folder, name."""
    if not file.is_file() or file.stat().st_size > _LARGEST_TABLE:
        return {}
    rows = (
        line.split("\t") for line in file.read_text(encoding="utf-8", errors="replace").splitlines()
    )
    return {row[0]: row[1].strip() for row in rows if len(row) > 1 and row[1].strip()}


def _part_of(split: str, parts: Sequence[str]) -> str | None:
    """The stored part that is this split as it stands; None where the split is a piece of the first
    part."""
    if "test" not in parts and "val" in parts:
        return {"test": "val"}.get(split)
    if split == "train":
        return "train" if {"val", "test"} <= set(parts) else None
    return split if split in parts else None


def _surveyed(root: Path) -> tuple[list[str], dict[str, list[_Picture]]]:
    places = _places(root)
    names = _classes(places["train"])
    parts = {part: _pictures(place, names) for part, place in places.items()}
    for part, pictures in parts.items():
        if not pictures:
            raise DatasetError(
                f"{places[part]} holds no pictures in folders of its classes; sort them into "
                f"{shortened(names[0])} "
                "and so on, or move it away"
            )
    for name, label in zip(names, range(len(names)), strict=True):
        if sum(picture.label == label for picture in parts["train"]) < 3:
            raise DatasetError(
                f"class {shortened(name)} of {places['train']} has fewer than three images; add "
                "some"
            )
    return names, parts


def _seen_from(root: Path) -> str:
    """Where a name was looked for that does not say it: a search may have been begun elsewhere."""
    return "" if root.is_absolute() else f" in {Path.cwd()}"


def _places(root: Path) -> dict[str, Path]:
    """Where the pictures of each part lie; of `train` at least."""
    if not root.is_dir():
        raise DatasetError(
            f"{root} is no folder{_seen_from(root)}; image-folder:DIR needs a folder that holds "
            "one folder per class"
        )
    found = [part for part in ("train", "val", "test") if (root / part).is_dir()]
    return {part: root / part for part in found} if "train" in found else {"train": root}


def _classes(place: Path) -> list[str]:
    """The folders of classes, in the order of their labels."""
    names = sorted(folder.name for folder in _folders(place))
    if len(names) < 2:
        raise DatasetError(f"{place} holds {len(names)} class folders; expected two or more")
    return names


def _folders(place: Path) -> list[Path]:
    return [entry for entry in place.iterdir() if entry.is_dir() and not entry.name.startswith(".")]


def _pictures(place: Path, names: Sequence[str]) -> list[_Picture]:
    strangers = sorted({folder.name for folder in _folders(place)} - set(names))
    if strangers:
        raise DatasetError(
            f"{place} holds class {shortened(strangers[0])}, which the training images do not have"
        )
    return [
        _Picture(file, label)
        for label, name in enumerate(names)
        for file in sorted((place / name).rglob("*"))
        if is_picture(file)
    ]


def _chosen_size(image_size: int | None, pictures: Sequence[_Picture]) -> int:
    if image_size is None:
        sides = [
            side
            for side in map(shorter_side, (picture.file for picture in pictures))
            if side is not None
        ]
        return int(min(max(median(sides), _SMALLEST), _LARGEST)) if sides else _SMALLEST
    if image_size < _SMALLEST:
        raise DatasetError(f"image_size is {image_size}; expected {_SMALLEST} or more")
    return image_size


def _key(root: Path, pictures: Sequence[_Picture], size: int, skip_corrupt: bool) -> str:
    """Changes when a picture is added, removed or touched."""
    digest = hashlib.sha256(f"{_FORMAT} {root.resolve()} {size} {skip_corrupt}".encode())
    for picture in pictures:
        state = picture.file.stat()
        digest.update(
            f"{picture.file.relative_to(root)} {state.st_size} {state.st_mtime_ns}\n".encode()
        )
    return digest.hexdigest()[:20]


def _fill(cache: Path, parts: dict[str, list[_Picture]], size: int, skip_corrupt: bool) -> None:
    """Decode everything beside the cache folder, then put it in place at once."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=cache.parent))
    try:
        corrupt = [file for name, part in parts.items() for file in _store(draft, name, part, size)]
        if corrupt and not skip_corrupt:
            shown = ", ".join(str(file) for file in corrupt[:5]) + (
                ", ..." if len(corrupt) > 5 else ""
            )
            raise DatasetError(
                f"{counted(len(corrupt), 'image')} cannot be decoded: {shown}; mend or remove "
                f"them, make them smaller if they have more than {MOST_PIXELS:,} pixels, or say "
                "--skip-corrupt"
            )
        (draft / "corrupt.txt").write_text("".join(f"{file}\n" for file in corrupt))
        (draft / "facts.json").write_text(
            json.dumps(_statistics(np.load(draft / "train.npy", mmap_mode="r")))
        )
        if not cache.is_dir():
            draft.rename(cache)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _store(draft: Path, name: str, part: Sequence[_Picture], size: int) -> list[Path]:
    """Write the pixels and labels of one part; the files that could not be decoded come back."""
    shape = (len(part), size, size, 3)
    pixels = np.lib.format.open_memmap(
        draft / f"{name}.npy", mode="w+", dtype=np.uint8, shape=shape
    )
    labels: list[int] = []
    corrupt: list[Path] = []
    with ThreadPoolExecutor() as pool:
        for picture, image in zip(
            part, pool.map(lambda p: decoded(p.file, size), part), strict=True
        ):
            if image is None:
                corrupt.append(picture.file)
                continue
            pixels[len(labels)] = image
            labels.append(picture.label)
    pixels.flush()
    np.save(draft / f"{name}-labels.npy", np.array(labels, dtype=np.int64))
    return corrupt


def _statistics(pixels: Pixels) -> dict[str, list[float]]:
    """Mean and deviation of the channels, from at most 2,000 images spread over the training
    part."""
    some = pixels[:: max(1, len(pixels) // 2000)] / 255.0
    spread = np.maximum(some.std(axis=(0, 1, 2)), 1e-3)
    return {"mean": some.mean(axis=(0, 1, 2)).round(6).tolist(), "std": spread.round(6).tolist()}
