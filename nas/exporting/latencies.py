"""How long a network takes: the median of many passes, once everything is warm, in torch and in ONNX Runtime."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from nas.errors import SettingsError, known_names
from nas.exporting.subject import Subject
from nas.training.computation import Computation, chosen_device
from nas.training.measures import synchronized

ENGINES = ("torch", "onnxruntime")
_WARM_ROUNDS, _WARM_SECONDS = 3, 0.5
_FEWEST_ROUNDS = 5
_LARGEST_BATCH = 4096


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one batch takes, in milliseconds: median and distance between the quartiles."""

    engine: str
    device: str
    threads: int
    batch: int
    milliseconds: float
    spread: float
    rounds: int

    @property
    def images_per_second(self) -> float:
        """How many images pass in a second."""
        return 1000 * self.batch / self.milliseconds


def milliseconds(
    network: nn.Module,
    shape: tuple[int, int, int],
    batch: int,
    computation: Computation,
    seconds: float = 0.5,
) -> float:
    """The median milliseconds of a batch in torch, computed as children of a search are."""
    if not 1 <= batch <= _LARGEST_BATCH:
        raise SettingsError(
            f"latency_batch is {batch}; expected 1 to {_LARGEST_BATCH}, or 0 to measure nothing"
        )
    place = computation.torch_device
    network = network.to(place, memory_format=computation.memory_format).eval()  # type: ignore[call-overload]
    images = torch.zeros(batch, *shape, device=place).contiguous(
        memory_format=computation.memory_format
    )

    def once() -> float:
        began = synchronized(place)
        with computation.autocast():
            network(images)
        return synchronized(place) - began

    with computation.active(), torch.inference_mode():
        return _measured("torch", computation.device, batch, once, seconds).milliseconds


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
        if not 1 <= batch <= _LARGEST_BATCH:
            raise SettingsError(f"batch {batch} cannot be measured; expected 1 to {_LARGEST_BATCH}")
    device = chosen_device(device)
    found: list[Latency] = []
    if "torch" in engines:
        found += _in_torch(subject, batches, device, seconds)
    if "onnxruntime" in engines:
        with _onnx_file(subject, model) as file:
            found += _in_onnx_runtime(subject, file, batches, device, seconds)
    return found


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
                yield _measured("torch", device, batch, once, seconds)
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

        yield _measured("onnxruntime", device, batch, once, seconds)


@contextmanager
def _onnx_file(subject: Subject, model: Path | None) -> Iterator[Path]:
    if model is not None:
        yield model
        return
    from nas.exporting.formats.onnx_model import onnx_model

    with tempfile.TemporaryDirectory() as folder:
        yield onnx_model(subject, Path(folder)).files[0]


def _measured(
    engine: str, device: str, batch: int, once: Callable[[], float], seconds: float
) -> Latency:
    """Warm up, then collect until the time is over."""
    _collected(once, _WARM_ROUNDS, min(_WARM_SECONDS, seconds))
    times = [1000 * value for value in _collected(once, _FEWEST_ROUNDS, seconds)]
    quarter, _, three_quarters = statistics.quantiles(times, n=4)
    return Latency(
        engine,
        device,
        torch.get_num_threads(),
        batch,
        statistics.median(times),
        three_quarters - quarter,
        len(times),
    )


def _collected(once: Callable[[], float], fewest: int, seconds: float) -> list[float]:
    times: list[float] = []
    began = time.monotonic()
    while len(times) < fewest or time.monotonic() - began < seconds:
        times.append(once())
    return times
