"""What a training costs: time and memory, asked of the device."""

from __future__ import annotations

import resource
import sys
import time

import torch

_MIB = 2.0**20


def synchronized(device: torch.device) -> float:
    """The time in seconds, once the device has done what it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter()


def reset_peak_memory(device: torch.device) -> None:
    """Begin to watch the device's memory anew."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mib(device: torch.device) -> float:
    """The most memory in use: on the GPU since the last reset, on a CPU by this process in its
    whole life."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / _MIB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MIB


def release_memory(device: torch.device) -> None:
    """Give back what the allocator holds for nobody."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
