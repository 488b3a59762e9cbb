"""How long a network takes: the median of many passes, once everything is warm."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from nas.errors import SettingsError
from nas.training.computation import Computation
from nas.training.measurement import synchronized

LARGEST_BATCH = 4096
_WARM_ROUNDS, _WARM_SECONDS = 3, 0.5
_FEWEST_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one batch takes, in milliseconds: median, distance between the quartiles, and the
    quickest round, which others on the machine disturb least."""

    engine: str
    device: str
    threads: int
    batch: int
    milliseconds: float
    spread: float
    rounds: int
    quickest: float

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
    if not 1 <= batch <= LARGEST_BATCH:
        raise SettingsError(
            f"latency_batch is {batch}; expected 1 to {LARGEST_BATCH}, or 0 to measure nothing"
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
        return measured("torch", computation.device, batch, once, seconds).milliseconds


def measured(
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
        min(times),
    )


def _collected(once: Callable[[], float], fewest: int, seconds: float) -> list[float]:
    times: list[float] = []
    began = time.monotonic()
    while len(times) < fewest or time.monotonic() - began < seconds:
        times.append(once())
    return times
