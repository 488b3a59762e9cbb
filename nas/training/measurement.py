"""What computing costs here: time and memory, asked of the device, and which way to compute is
fastest, measured once before a study and then kept for every child."""

from __future__ import annotations

import itertools
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional

from nas.training.computation import Computation

# What is not clearly faster is not worth other numbers than everybody else's. On a processor other
# programs disturb.
_MARGINS = {"cpu": 1.4}
_MARGIN = 1.15
_ROUNDS = 5
_LONGEST_SECONDS = 10.0
_BATCH = 16
_MIB = 2.0**20

MakeNetwork = Callable[[], nn.Module]


def synchronized(device: torch.device) -> float:
    """The time in seconds, once the device has done what it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter()


def reset_peak_memory(device: torch.device) -> None:
    """Begin to watch the device's memory anew."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def release_memory(device: torch.device) -> None:
    """Give back what nobody uses, so that others on the device can have it."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def peak_memory_mib(device: torch.device) -> float:
    """The most memory in use: on the GPU since the last reset, on a CPU by this process in its
    whole life."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / _MIB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MIB


def room_mib(device: torch.device) -> float:
    """The memory that the GPU, or this machine, has in all."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1] / _MIB
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _MIB


def candidates(base: Computation, precision: str, layout: str) -> list[Computation]:
    """The ways to compute that are open, the usual one first."""
    precisions = ("fp32", "bf16") if precision == "auto" else (precision,)
    layouts = ("channels-last", "contiguous") if layout == "auto" else (layout,)
    return [
        replace(base, precision=p, layout=m)  # type: ignore[arg-type]
        for p, m in itertools.product(precisions, layouts)
    ]


def fastest(
    ways: list[Computation], make_network: MakeNetwork, image_shape: tuple[int, int, int]
) -> Computation:
    """The first way, unless another takes training steps faster by a clear margin.

    The ways take turns and the best time of each counts, so that what else the machine does bears
    on all alike; on a processor it is this process's own time.
    """
    if len(ways) == 1:
        return ways[0]
    steps = [_Step(way, make_network(), image_shape) for way in ways]
    for step in steps:
        step.timed()
    began = time.monotonic()
    times: dict[Computation, float] = {}
    for step in itertools.chain.from_iterable(itertools.repeat(steps, _ROUNDS)):
        if len(times) == len(steps) and time.monotonic() - began > _LONGEST_SECONDS:
            break
        times[step.way] = min(step.timed(), times.get(step.way, float("inf")))
    return _clearly_fastest(times, ways[0])


def _clearly_fastest(times: dict[Computation, float], usual: Computation) -> Computation:
    best = min(times, key=times.__getitem__)
    margin = _MARGINS.get(usual.torch_device.type, _MARGIN)
    return best if times[usual] > margin * times[best] else usual


class _Step:
    """A training step on noise, computed one way."""

    def __init__(
        self, way: Computation, network: nn.Module, image_shape: tuple[int, int, int]
    ) -> None:
        self.way = way
        device = way.torch_device
        self._network = network.to(device, memory_format=way.memory_format).train()  # type: ignore[call-overload]
        rng = torch.Generator()
        images = torch.randn((_BATCH, *image_shape), generator=rng).to(device)
        self._images = images.contiguous(memory_format=way.memory_format)
        self._labels = torch.zeros(_BATCH, dtype=torch.int64, device=device)

    def timed(self) -> float:
        """Seconds of one step."""
        with self.way.active():
            began = self._clock()
            self._network.zero_grad(set_to_none=True)
            with self.way.autocast():
                logits = self._network(self._images)
            functional.cross_entropy(logits.float(), self._labels).backward()  # type: ignore[no-untyped-call]
            return self._clock() - began

    def _clock(self) -> float:
        device = self._images.device
        return time.process_time() if device.type == "cpu" else synchronized(device)
