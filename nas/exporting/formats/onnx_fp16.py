"""`model.fp16.onnx`: the network in floating-point numbers of sixteen bits; images and logits stay
as they are."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from nas.exporting.formats._smaller_onnx import TOLERANCE, smaller
from nas.exporting.subject import Subject
from nas.exporting.written import Written
from nas.training.datasets import Dataset

NEEDS = ("onnx", "onnxscript", "onnxruntime")
CARRIES_WEIGHTS = WHEN_NAMED = NEEDS_DATA = True


def onnx_fp16(
    subject: Subject,
    folder: Path,
    *,
    tolerance: float = TOLERANCE,
    data_dir: str | None = None,
) -> Written:
    """Halve the numbers with ONNX Runtime's converter.

    Args:
        tolerance: how much accuracy on the validation split may be lost.
        data_dir: where the data set lies.
    """
    file = folder / "model.fp16.onnx"
    how = "in numbers of sixteen bits (which processors without them compute more slowly)"
    return smaller(subject, file, how, _halved, tolerance=tolerance, data_dir=data_dir)


def _halved(exact: Path, target: Path, dataset: Dataset) -> None:
    del dataset
    import onnx

    path = list(sys.path)
    from onnxruntime.transformers.float16 import convert_float_to_float16

    sys.path[:] = path  # that package puts itself where it would hide others
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        halved = convert_float_to_float16(onnx.load(str(exact)), keep_io_types=True)
    onnx.save(halved, str(target))
