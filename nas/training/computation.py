"""How numbers are computed: device, threads and precision, the same for every child of a study."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from nas.errors import SettingsError, shortened

Precision = Literal["fp32", "bf16"]
Layout = Literal["channels-last", "contiguous"]

_TRIM_ABOVE, _MAP_ABOVE = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h
_LARGEST = 2**31 - 1  # bytes; it takes no more


@dataclass(frozen=True, slots=True)
class Computation:
    """One way to compute; on a CPU, equal ones give equal numbers to the last bit, on a GPU where
    it is asked for.

    Args:
        graphs: launch passes as CUDA graphs.
        reproducible: on a GPU, only kernels that give the same bits every time, and no TF32.
    """

    device: str = "cpu"
    threads: int = 1
    precision: Precision = "fp32"
    layout: Layout = "channels-last"
    graphs: bool = False
    reproducible: bool = False

    def __post_init__(self) -> None:
        if self.graphs and not self.device.startswith("cuda"):
            raise SettingsError(
                f"graphs need a CUDA device, but the device is {self.device}; leave graphs off"
            )
        if self.threads < 1:
            raise SettingsError(f"threads is {self.threads}; expected 1 or more")

    def to_dict(self) -> dict[str, Any]:
        """All settings, as JSON takes them; studies of before say nothing of `reproducible`."""
        settings = asdict(self)
        if not self.reproducible:
            del settings["reproducible"]
        return settings

    @property
    def torch_device(self) -> torch.device:
        """The device as torch knows it."""
        return torch.device(self.device)

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout as torch knows it."""
        return torch.channels_last if self.layout == "channels-last" else torch.contiguous_format

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Compute this way, and leave torch as it was."""
        if self.device == "cpu":
            keep_memory()
        with self._convolutions(), _threads(self.threads), _same_bits(wanted=self.reproducible):
            yield

    def _convolutions(self) -> contextlib.AbstractContextManager[None]:
        """On a GPU the fastest ones are tried out; which they are may differ from run to run."""
        flags: contextlib.AbstractContextManager[None] = torch.backends.cudnn.flags(
            benchmark=self.device.startswith("cuda") and not self.reproducible,
            deterministic=self.reproducible,
            allow_tf32=not self.reproducible,
        )
        return flags

    def autocast(self) -> torch.autocast:
        """Where the forward pass may use short numbers."""
        enabled = self.precision == "bf16"
        return torch.autocast(
            self.torch_device.type, torch.bfloat16, enabled, cache_enabled=not self.graphs
        )


@functools.cache
def keep_memory() -> None:
    """Let this process keep the memory it frees, as much as it ever had. The next step asks for as
    much again, and to be given it by the system anew, page by page, takes a sixth of a training."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it
    if mallopt is not None:
        mallopt(_TRIM_ABOVE, _LARGEST)
        mallopt(_MAP_ABOVE, _LARGEST)


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _same_bits(*, wanted: bool) -> Iterator[None]:
    """Let torch refuse kernels that add up in any order."""
    if not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as cuBLAS asks for
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def chosen_device(name: str) -> str:
    """The device of this name; `auto` is the first accelerator there is, else the CPU."""
    if name == "auto":
        accelerator = (
            torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        )
        return "cpu" if accelerator is None else accelerator.type
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        raise SettingsError(
            f"device {shortened(name)} cannot be used here ({str(problem).splitlines()[0][:100]}); "
            "expected auto, cpu, cuda, cuda:1 or mps, where there is one"
        ) from problem
    if device.type == "meta":
        raise SettingsError(
            "device 'meta' holds no numbers; expected auto, cpu, cuda, cuda:1 or mps"
        )
    return name


def usable_cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
