"""What networks learn from: a dataset is one frozen record that loads its splits as uint8
arrays."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nas.errors import NasError, SettingsError, known_names, shell_word, shortened
from nas.training.recipe import Preset

SearchSplit = Literal["train", "val"]
Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


class DatasetError(NasError):
    """Data that is missing, damaged or laid out otherwise than expected."""


@dataclass(frozen=True, slots=True)
class Images:
    """One split in memory: `pixels` (N, H, W, C) and `labels` (N,)."""

    pixels: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, indices: npt.NDArray[np.int64]) -> Images:
        """The images at these places."""
        return Images(np.ascontiguousarray(self.pixels[indices]), self.labels[indices])

    def fewer(self, count: int) -> Images:
        """So many of the images, every class alike; always the same ones."""
        from nas.training.datasets._splits import stratified

        return self.at(stratified(self.labels, [count], seed=0, purpose="fewer")[0])


Reader = Callable[
    [str, Path | None], Images
]  # (split, data_dir); splits are "train", "val" and "test"


@dataclass(frozen=True, slots=True)
class Dataset:
    """What networks learn from: a classification task of square images, as one frozen record.

    - `read(split, data_dir)` gives the images of `train`, `val` or `test`, the same every time. It
      is a function at the top of a file, or another thing that can be pickled and compared.
    - Pixels are uint8 (N, H, W, C), labels int64 below `classes`; `mean` and `std` are those of the
      training pixels in 0..1, per channel.
    - `train` and `val` hold the classes in the same shares; no image of `test` is in either.
    - A search sees `load("train")` and `load("val")`. The test split opens only through
      `nas.training.final_split.FinalSplit`.
    - A file may hold a function that gives the record, called with those of `argument` (what stands
      behind a colon), `data_dir`, `image_size` and `skip_corrupt` that it names.

    `nas.testing.check_dataset` tries all of it.

    >>> import numpy as np
    >>> from nas.seeding import numpy_rng
    >>> from nas.training.datasets import Dataset, Images
    >>> def read(split, data_dir):
    ...     labels = np.arange(100, dtype=np.int64) % 2
    ...     noise = numpy_rng(0, "halves", split).integers(0, 128, (100, 8, 8, 1))
    ...     return Images((noise + 100 * labels[:, None, None, None]).astype(np.uint8), labels)
    >>> halves = Dataset("halves", 2, 8, 1, (0.445,), (0.243,), read, class_names=("dark", "light"))
    >>> len(halves.load("val")), halves.labels["classes"]
    (100, ['dark', 'light'])

    Args:
        preset: how the children of a search are trained where nothing is said.
        final: how a winner is trained at full size; `fit` is scaled to the pictures.
        test_images: how many pictures the test split has, where that is known without opening it.
        left_out: how many pictures could not be read.
        class_names: in the order of the labels; empty where nobody knows them.
        presets: its own, by name; those of every installed dataset are known besides.
    """

    name: str
    classes: int
    image_size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    read: Reader
    preset: str = "cifar10-quick"
    data_dir: Path | None = None
    final: str = "fit"
    class_names: tuple[str, ...] = ()
    presets: Mapping[str, Preset] = field(default_factory=dict, compare=False)
    test_images: int | None = None
    left_out: int = 0

    def load(self, split: SearchSplit) -> Images:
        """The images of one split; of `train` or `val` only."""
        if split not in ("train", "val"):
            raise DatasetError(
                f"a search sees the splits train and val of {self.name}, not {shortened(split)}; "
                "the test split is opened by retrain, transfer and final evaluation only"
            )
        return _read(self, split)

    @property
    def lies_here(self) -> bool:
        """Whether its files are on this machine, so that reading it downloads nothing."""
        found = getattr(self.read, "lies_in", None)
        return found is None or bool(found(self.data_dir or cache_folder()))

    @property
    def labels(self) -> dict[str, Any]:
        """What travels with weights so that they can be used on pictures, as JSON."""
        names = list(self.class_names) if len(self.class_names) == self.classes else []
        return {"classes": names, "mean": list(self.mean), "std": list(self.std)}

    @property
    def fingerprint(self) -> str:
        """Changes with any pixel or label that a search sees."""
        digest = hashlib.blake2b(digest_size=8)
        for split in ("train", "val"):
            images = _read(self, split)
            digest.update(str(images.pixels.shape).encode())
            digest.update(np.ascontiguousarray(images.pixels).data)
            digest.update(images.labels.astype("<i8").tobytes())
        return digest.hexdigest()


_shared: dict[tuple[Dataset, str], Images] = {}


def share(dataset: Dataset, splits: Mapping[str, Images]) -> None:
    """Let this process see these arrays, which others see too, instead of reading the dataset
    itself."""
    for split, images in splits.items():
        _shared[dataset, split] = Images(
            images.pixels, images.labels.copy()
        )  # torch wants labels it may write


def pictures_of(dataset: Dataset, split: str) -> Images:
    """A split for a dataset that is made of another one, which says who may open it."""
    return _read(dataset, split) if split != "test" else dataset.read(split, dataset.data_dir)


def _read(dataset: Dataset, split: str) -> Images:
    return _shared.get((dataset, split)) or _read_once(dataset, split)


@functools.lru_cache(maxsize=4)
def _read_once(dataset: Dataset, split: str) -> Images:
    """Splits are kept by the process, so that the children of a worker share them; those of a
    dataset, and those of one size that it was brought to."""
    return dataset.read(split, dataset.data_dir)


def open_dataset(name: str, data_dir: str | Path | None = None, **options: Any) -> Dataset:
    """The dataset of this name (`digits`, `image-folder:DIR`, `my_pkg.my_file:MyDataset`), set to a
    data folder.

    A part is a `Dataset`, or a function that gives one: it is called with those of `argument` (what
    stands behind the colon), `data_dir` and the options that it names.
    """
    from nas.registry import load, names

    _refuse_bare_folder(name)
    part = load("dataset", name)
    head, _, argument = name.partition(":")
    folder = None if data_dir is None else Path(data_dir).expanduser()
    if isinstance(part, Dataset):
        return part if folder is None else replace(part, data_dir=folder)
    own = head.replace("_", "-") in names("dataset")
    given = {"argument": argument if own else "", "data_dir": folder, **options}
    dataset = _called(part, name, given)
    if not isinstance(dataset, Dataset):
        raise DatasetError(
            f"{shortened(name)} should be a nas.training.datasets.Dataset or a function that "
            "returns one"
        )
    return dataset


def _refuse_bare_folder(name: str) -> None:
    """Say of a folder how it is named as a dataset, where no dataset has its name."""
    from nas.registry import resolve

    if ":" in name or not os.path.isdir(name):  # noqa: PTH112  (no name is too long for it)
        return
    try:
        resolve("dataset", name)
    except NasError as problem:
        word = shell_word(f"image-folder:{name}")
        raise DatasetError(f"{problem}; for the folder of that name say {word}") from None


def _called(part: Any, name: str, given: dict[str, Any]) -> object:
    if not callable(part):
        return part
    known = inspect.signature(part).parameters
    required = [p.name for p in known.values() if p.default is p.empty and p.name not in given]
    if required:
        raise DatasetError(
            f"dataset {shortened(name)} asks for {', '.join(required)}, which nothing here can give"
        )
    return part(**{key: value for key, value in given.items() if key in known})


def presets() -> dict[str, tuple[Dataset, Preset]]:
    """Every preset that an installed dataset carries, with that dataset, by name."""
    from nas.registry import load, names

    datasets = [
        part
        for part in map(partial(load, "dataset"), names("dataset"))
        if isinstance(part, Dataset)
    ]
    return {
        name: (dataset, preset) for dataset in datasets for name, preset in dataset.presets.items()
    }


def preset(name: str, dataset: Dataset | None = None) -> Preset:
    """The preset of this name: the dataset's own, or that of an installed one."""
    if dataset is not None and name in dataset.presets:
        return dataset.presets[name]
    known = presets()
    if name not in known:
        own = () if dataset is None else dataset.presets
        raise SettingsError(known_names(name, {*own, *known}, "preset"))
    return known[name][1]


def cache_folder() -> Path:
    """Where downloads and decoded images are kept: `NAS_DATA`, or `nas` in the user's cache."""
    if chosen := os.environ.get("NAS_DATA"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "nas"
