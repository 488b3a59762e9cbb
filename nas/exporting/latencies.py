"""How long an exported network takes, in torch and in ONNX Runtime."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch

from nas.errors import NasError, SettingsError, known_names
from nas.exporting.subject import Subject
from nas.training.computation import chosen_device
from nas.training.latency import LARGEST_BATCH, Latency, measured
from nas.training.measurement import synchronized

ENGINES = ("torch", "onnxruntime")


def latencies(
    subject: Subject,
    batches: Sequence[int],
    *,
    engines: Sequence[str] = ENGINES,
    device: str = "cpu",
    seconds: float = 2.0,
    model: Path | None = None,
) -> list[Latency]:
    """The latency of each engine for each size of batch; the subject's network is left as it was.

    Args:
        seconds: how long each is measured; at least a few rounds are.
        model: an ONNX file of this network, where there is one already.
    """
    for engine in engines:
        if engine not in ENGINES:
            raise SettingsError(known_names(engine, ENGINES, "engine"))
    for batch in batches:
        if not 1 <= batch <= LARGEST_BATCH:
            raise SettingsError(f"batch {batch} cannot be measured; expected 1 to {LARGEST_BATCH}")
    if "onnxruntime" in engines:
        _require_onnx(engines)
    device = chosen_device(device)
    found: list[Latency] = []
    if "torch" in engines:
        found += _in_torch(subject, batches, device, seconds)
    if "onnxruntime" in engines:
        with _onnx_file(subject, model) as file:
            found += _in_onnx_runtime(subject, file, batches, device, seconds)
    return found


def _require_onnx(engines: Sequence[str]) -> None:
    """Say that something is missing before half a minute of measuring, not after."""
    from nas.exporting.formats.onnx_model import NEEDS

    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        others = [engine for engine in engines if engine != "onnxruntime"]
        instead = f", or say --engine {','.join(others)}" if others else ""
        raise NasError(
            f"engine onnxruntime needs {missing[0]}, which is not installed: pip install "
            f"'nas-toolkit[onnx]'{instead}"
        )


def _in_torch(
    subject: Subject, batches: Sequence[int], device: str, seconds: float
) -> Iterator[Latency]:
    place = torch.device(device)
    network = subject.network.to(place)
    try:
        for batch in batches:
            images = torch.zeros(batch, *subject.shape, device=place)

            def once(images: torch.Tensor = images) -> float:
                began = synchronized(place)
                network(images)
                return synchronized(place) - began

            with torch.inference_mode():
                yield measured("torch", device, batch, once, seconds)
    finally:
        network.to("cpu")


def _in_onnx_runtime(
    subject: Subject, file: Path, batches: Sequence[int], device: str, seconds: float
) -> Iterator[Latency]:
    from nas.exporting.formats._onnx_runtime import session_of

    session = session_of(file, device)
    for batch in batches:
        images = {"images": torch.zeros(batch, *subject.shape).numpy()}

        def once(images: object = images) -> float:
            began = time.perf_counter()
            session.run(None, images)
            return time.perf_counter() - began

        yield measured("onnxruntime", device, batch, once, seconds)


@contextmanager
def _onnx_file(subject: Subject, model: Path | None) -> Iterator[Path]:
    if model is not None:
        yield model
        return
    from nas.exporting.formats.onnx_model import onnx_model

    with tempfile.TemporaryDirectory() as folder:
        yield onnx_model(subject, Path(folder)).files[0]
