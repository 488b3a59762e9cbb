"""CIFAR's python layout: in a folder, in its tarball, or downloaded; its pickles are read without
being trusted."""

from __future__ import annotations

import codecs
import hashlib
import io
import pickle
import pickletools
import re
import shutil
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from nas.training.datasets import DatasetError, Images, cache_folder
from nas.training.datasets._splits import stratified

_VALIDATION = 5_000
_LARGEST_FILE = 1 << 28  # bytes; CIFAR-100 has 155 million in one
_MOST_MEMOS = 1 << 20  # CIFAR-100 numbers some 50,000 objects
_MEMOS = {"PUT", "BINPUT", "LONG_BINPUT"}


@dataclass(frozen=True, slots=True)
class Cifar:
    """Reads the splits of one CIFAR: 45,000 training and 5,000 validation images, the 10,000 test
    images untouched."""

    name: str
    folder: str
    archive: str
    sha256: str
    train_files: tuple[str, ...]
    test_file: str
    labels: str

    @property
    def address(self) -> str:
        """Where the archive is published."""
        return f"https://www.cs.toronto.edu/~kriz/{self.archive}"

    def __call__(self, split: str, data_dir: Path | None) -> Images:
        files = (self.test_file,) if split == "test" else self.train_files
        images = self._joined(list(self._batches(files, data_dir)))
        if split == "test":
            return images
        sizes = [_VALIDATION, len(images) - _VALIDATION]
        val, train = stratified(images.labels, sizes, seed=0, purpose=self.name)
        return images.at(val if split == "val" else train)

    def lies_in(self, place: Path) -> bool:
        """Whether a folder or the archive is there."""
        return self._folder(place) is not None or (place / self.archive).is_file()

    def _joined(self, batches: list[Images]) -> Images:
        return Images(
            np.concatenate([b.pixels for b in batches]), np.concatenate([b.labels for b in batches])
        )

    def _batch(self, pickled: bytes, file: str) -> Images:
        content = self._unpickled(pickled, file)
        try:
            rows = np.asarray(content[b"data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
            labels = np.asarray(content[self.labels.encode()], dtype=np.int64)
        except (KeyError, TypeError, ValueError) as problem:
            raise DatasetError(
                f"a batch of {self.name} should hold rows of 3,072 bytes under 'data' and labels "
                "under "
                f"{self.labels!r}; expected the python version of {self.address}"
            ) from problem
        return Images(np.ascontiguousarray(rows.transpose(0, 2, 3, 1)), labels)

    def _batches(self, files: tuple[str, ...], data_dir: Path | None) -> Iterator[Images]:
        place = cache_folder() if data_dir is None else data_dir
        folder = self._folder(place)
        if folder is not None:
            yield from (self._batch(self._content(folder / file), file) for file in files)
            return
        archive = place / self.archive
        if not archive.is_file():
            self._download(archive)
        yield from self._from_archive(archive, files)

    def _content(self, file: Path) -> bytes:
        try:
            with file.open("rb") as stream:
                return self._whole(stream, file.name)
        except OSError as problem:
            raise DatasetError(
                f"{file} of {self.name} cannot be read ({problem.strerror}); the folder should "
                "hold "
                f"{', '.join(self.train_files)} and {self.test_file}: get {self.address} again"
            ) from problem

    def _folder(self, place: Path) -> Path | None:
        candidates = (place, place / self.folder)
        return next(
            (folder for folder in candidates if (folder / self.train_files[0]).is_file()), None
        )

    def _from_archive(self, archive: Path, files: tuple[str, ...]) -> list[Images]:
        try:
            with tarfile.open(archive) as tar:
                return [self._batch(self._member(tar, file), file) for file in files]
        except (tarfile.TarError, EOFError, OSError, KeyError) as problem:
            raise DatasetError(
                f"{archive} is not the archive {self.address} ({problem}); remove it or put the "
                "right one there"
            ) from problem

    def _member(self, tar: tarfile.TarFile, file: str) -> bytes:
        stream = tar.extractfile(f"{self.folder}/{file}")
        if stream is None:
            raise KeyError(f"no file {file}")
        return self._whole(stream, file)

    def _whole(self, stream: IO[bytes], file: str) -> bytes:
        content = stream.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise DatasetError(
                f"{file} of {self.name} has more than {_LARGEST_FILE:,} bytes; get {self.address} "
                "again"
            )
        return content

    def _unpickled(self, content: bytes, file: str) -> Mapping[Any, Any]:
        try:
            _refuse_bomb(content)
            read = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
        except (
            pickle.UnpicklingError,
            EOFError,
            ValueError,
            TypeError,
            AttributeError,
            LookupError,  # also a coding that nobody knows
        ) as problem:
            raise DatasetError(
                f"{file} of {self.name} is damaged ({problem}); get {self.address} again"
            ) from problem
        if not isinstance(read, dict):
            raise DatasetError(
                f"{file} of {self.name} should hold a dictionary; get {self.address} again"
            )
        return read

    def _download(self, archive: Path) -> None:
        try:
            # an https address of our own source, and the digest is checked
            with urllib.request.urlopen(self.address, timeout=20) as answer:  # noqa: S310
                archive.parent.mkdir(parents=True, exist_ok=True)
                with tempfile.NamedTemporaryFile(
                    dir=archive.parent, suffix=".part", delete=False
                ) as part:
                    shutil.copyfileobj(answer, part)
            self._install(Path(part.name), archive)
        except OSError as problem:
            raise DatasetError(
                f"{self.name} is not at {archive.parent} and could not be downloaded ({problem}); "
                f"get {self.address} "
                f"and say --data-dir DIR (or NAS_DATA=DIR), where DIR holds {self.archive} or the "
                "folder "
                f"{self.folder} with {', '.join(self.train_files)} and {self.test_file}"
            ) from problem

    def _install(self, part: Path, archive: Path) -> None:
        """Give a download its name when its checksum is right; two processes may do so at once."""
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found == self.sha256:
            part.replace(archive)
            return
        part.unlink()
        raise DatasetError(
            f"{self.address} came with the checksum {found[:16]}..., but {self.sha256[:16]}... "
            "was expected; "
            "try again, or put the right archive there by hand"
        )


def _refuse_bomb(content: bytes) -> None:
    """An object's number takes memory for all numbers below it."""
    for code, argument, _ in pickletools.genops(content):
        if code.name in _MEMOS and int(argument or 0) > _MOST_MEMOS:
            raise pickle.UnpicklingError(f"it numbers an object {argument}")


class _Kind:
    """Stands for a `numpy.dtype`, of numbers alone."""

    def __init__(self, text: object, *_: object) -> None:
        name = text.decode("ascii", "replace") if isinstance(text, bytes) else str(text)
        if not re.fullmatch("[biuf][1248]", name):
            raise pickle.UnpicklingError(f"it holds an array of {name[:20]!r}")
        self.name = name

    def __setstate__(self, state: Sequence[object]) -> None:
        """Of byte order and flags, what decides which number some bytes are."""
        if state[1] in (">", b">"):
            self.name = f">{self.name}"


class _Array:
    """Stands for a `numpy.ndarray`; none is made before its bytes are there."""

    def __init__(self, *_: object) -> None:
        self._values = np.empty(0, np.uint8)

    def __setstate__(self, state: tuple[int, tuple[int, ...], _Kind, bool, bytes]) -> None:
        _, shape, kind, by_column, content = state
        values = np.frombuffer(content, kind.name)
        self._values = values.reshape(shape, order="F" if by_column else "C")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._values, dtype)


_CALLED: Mapping[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,  # where it is from NumPy 2.0 on
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): codecs.encode,
}


class _ArraysOnly(pickle.Unpickler):
    """Makes arrays, dictionaries, lists, numbers and text, and calls nothing else; nothing of NumPy
    sees what a file says before it was looked at."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _CALLED:
            raise pickle.UnpicklingError(f"it wants to call {module}.{name}")
        return _CALLED[module, name]
