"""`model.int8.onnx`: the network in whole numbers of eight bits, calibrated on training pictures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from nas.exporting.formats._smaller_onnx import TOLERANCE, Pictures, pictures_of, smaller
from nas.exporting.subject import Subject
from nas.exporting.written import Written
from nas.training.datasets import Dataset

NEEDS = ("onnx", "onnxscript", "onnxruntime")
CARRIES_WEIGHTS = WHEN_NAMED = NEEDS_DATA = True


def onnx_int8(
    subject: Subject,
    folder: Path,
    *,
    tolerance: float = TOLERANCE,
    data_dir: str | None = None,
    pictures: int = 256,
) -> Written:
    """Quantise the network statically with ONNX Runtime.

    Args:
        tolerance: how much accuracy on the validation split may be lost.
        data_dir: where the data set lies.
        pictures: how many of the training split it is calibrated with.
    """
    make = partial(_quantised, pictures=pictures)
    how = f"in whole numbers of eight bits, calibrated on {pictures} training pictures"
    file = folder / "model.int8.onnx"
    return smaller(subject, file, how, make, tolerance=tolerance, data_dir=data_dir)


def _quantised(exact: Path, target: Path, dataset: Dataset, *, pictures: int) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    train = dataset.load("train")
    few = train.fewer(min(pictures, len(train)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantize_static(
            str(exact),
            str(target),
            _reader(pictures_of(few, dataset)),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )


def _reader(batches: Iterator[Pictures]) -> Any:
    """The batches as ONNX Runtime asks for them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Calibration(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Pictures] | None:
            batch = next(batches, None)
            return None if batch is None else {"images": batch}

    return Calibration()
