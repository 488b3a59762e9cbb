"""ONNX files that trade exactness for size or speed: how accurate and how fast they are, beside the
exact one, and whether that is good enough."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from nas.errors import NasError
from nas.exporting.formats._onnx_runtime import answers_of_onnx, session_of
from nas.exporting.formats.onnx_model import onnx_model
from nas.exporting.subject import Subject
from nas.exporting.written import Written
from nas.training.datasets import Dataset, Images, open_dataset
from nas.training.datasets._resized import resized
from nas.training.latency import Latency, measured

Pictures = npt.NDArray[np.float32]
Make = Callable[[Path, Path, Dataset], None]  # (exact file, file to write, data)

_OWN_PICTURES: Final = "image-folder:"
BATCH: Final = 100
TOLERANCE: Final = 0.01
_SECONDS = 1.0
_USAGE = """`{name}` is `model.onnx` {how}, for the same code. On the validation split ({images:,} pictures of {dataset}):

| file | accuracy | size | latency, batch 1 |
|---|---:|---:|---:|
| exact | {before:.4f} | {size_before:,} bytes | {fast_before:.2f} ms |
| `{name}` | {after:.4f} | {size_after:,} bytes | {fast_after:.2f} ms |"""


@dataclass(frozen=True, slots=True)
class Tried:
    """What one file does on the validation split, and how fast."""

    accuracy: float
    latency: Latency
    size: int


def smaller(
    subject: Subject,
    target: Path,
    how: str,
    make: Make,
    *,
    tolerance: float,
    data_dir: str | None,
) -> Written:
    """Write the file, try it beside the exact one, and refuse it where too much is lost."""
    dataset = dataset_of(subject, data_dir)
    val = dataset.load("val")
    with tempfile.TemporaryDirectory() as folder:
        exact = onnx_model(subject, Path(folder)).files[0]
        make(exact, target, dataset)
        before, after = (_tried(file, val, dataset, subject) for file in (exact, target))
    if before.accuracy - after.accuracy > tolerance:
        raise NasError(
            f"{target.name} is right on {after.accuracy:.2%} of the validation split, the exact "
            f"file on {before.accuracy:.2%}: that loses more than {tolerance:.2%}, so nothing was "
            "exported; leave the format out, or allow more with --tolerance"
        )
    usage = _USAGE.format(
        name=target.name,
        how=how,
        images=len(val),
        dataset=dataset.name.partition(":")[0],
        before=before.accuracy,
        after=after.accuracy,
        size_before=before.size,
        size_after=after.size,
        fast_before=before.latency.milliseconds,
        fast_after=after.latency.milliseconds,
    )
    # Judged by its accuracy: on images of noise it may differ as it likes, but not be NaN.
    return Written((target,), usage, partial(answers_of_onnx, target), limit=math.inf)


def dataset_of(subject: Subject, data_dir: str | None) -> Dataset:
    """What the network was trained on; refused where that is not known, or is not what it was."""
    name = subject.trained.get("dataset")
    if not isinstance(name, str):
        raise NasError(
            "its weights do not say what they were trained on, so nothing can be calibrated or "
            "judged: export weights that a search, retrain or transfer left, or leave this format "
            "out of --to"
        )
    if name.startswith(_OWN_PICTURES) and data_dir is not None:
        name, data_dir = f"{_OWN_PICTURES}{data_dir}", None  # they have moved
    # What was skipped then is skipped now; the fingerprint tells whether it was the same.
    dataset = open_dataset(
        name, data_dir, image_size=subject.skeleton.image_size, skip_corrupt=True
    )
    seen = resized(dataset, subject.skeleton.image_size)
    known = subject.trained.get("data") or subject.origin.get("data fingerprint")
    if known is not None and known not in (dataset.fingerprint, seen.fingerprint):
        raise NasError(
            f"the pictures of {name} are not those that the network was trained on (fingerprint "
            f"{dataset.fingerprint}, expected {known}): restore them, or give their folder with "
            "--data-dir"
        )
    return seen


def pictures_of(images: Images, dataset: Dataset) -> Iterator[Pictures]:
    """Batches as the network takes them: normalised, channels first."""
    mean, std = (np.array(each, np.float32) for each in (dataset.mean, dataset.std))
    for start in range(0, len(images), BATCH):
        pixels = images.pixels[start : start + BATCH].astype(np.float32) / 255
        yield np.ascontiguousarray(((pixels - mean) / std).transpose(0, 3, 1, 2))


def _tried(file: Path, val: Images, dataset: Dataset, subject: Subject) -> Tried:
    session = session_of(file)
    right = 0
    for batch, start in zip(pictures_of(val, dataset), range(0, len(val), BATCH), strict=True):
        logits = session.run(None, {"images": batch})[0]
        right += int((logits.argmax(1) == val.labels[start : start + BATCH]).sum())
    return Tried(right / len(val), _latency(session, subject), file.stat().st_size)


def _latency(session: Any, subject: Subject) -> Latency:
    image = {"images": np.zeros((1, *subject.shape), np.float32)}

    def once() -> float:
        began = time.perf_counter()
        session.run(None, image)
        return time.perf_counter() - began

    return measured("onnxruntime", "cpu", 1, once, _SECONDS)
