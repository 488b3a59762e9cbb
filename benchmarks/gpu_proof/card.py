"""Which card this is, and what it can do at most: memory bandwidth and arithmetic, measured."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator

import torch

from benchmarks.gpu_proof.asked import Asked, Line, figure
from nas.seeding import torch_rng
from nas.training.measurement import synchronized


def lines(asked: Asked) -> Iterator[Line]:
    """Its name and its limits."""
    device = torch.device(asked.device)
    yield {"name": "card", "card": _name(asked), "facts": _facts(asked)}
    bandwidth = bytes_per_second(device, asked)
    yield figure("bandwidth of a copy", bandwidth / 1e9, "GB/s")
    for name, peak in flops_per_second(device, asked).items():
        yield figure(f"matrix product, {name}", peak / 1e12, "TFLOP/s")


def bytes_per_second(device: torch.device, asked: Asked) -> float:
    """Read and written by a copy of much memory."""
    source = torch.zeros(2**22 if asked.small else 2**29, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / _fastest(lambda: target.copy_(source), device, asked)


def flops_per_second(device: torch.device, asked: Asked) -> dict[str, float]:
    """Of a large matrix product: as float32, as TF32, which convolutions use, and as bfloat16."""
    side = 256 if asked.small else 8192
    left = torch.randn(side, side, generator=torch_rng(0, "proof")).to(device)
    found: dict[str, float] = {}
    precise = torch.backends.cuda.matmul.allow_tf32
    for name, tf32, kind in (
        ("fp32", False, torch.float32),
        ("tf32", True, torch.float32),
        ("bf16", False, torch.bfloat16),
    ):
        if name == "tf32" and not asked.on_gpu:
            continue
        torch.backends.cuda.matmul.allow_tf32 = tf32
        given = left.to(kind)
        found[name] = 2 * side**3 / _fastest(lambda given=given: given @ given, device, asked)
    torch.backends.cuda.matmul.allow_tf32 = precise
    return found


def _fastest(action: Callable[[], object], device: torch.device, asked: Asked) -> float:
    """Seconds of the fastest of several rounds, one call each."""
    best, until = float("inf"), time.monotonic() + asked.seconds / 6
    for turn in range(50):
        began = synchronized(device)
        action()
        ended = synchronized(device)
        best = min(best, ended - began) if turn else best
        if turn and time.monotonic() > until:
            break
    return best


def _name(asked: Asked) -> str:
    return torch.cuda.get_device_name(asked.device) if asked.on_gpu else f"cpu {platform.machine()}"


def _facts(asked: Asked) -> dict[str, object]:
    facts: dict[str, object] = {"torch": torch.__version__, "python": platform.python_version()}
    if asked.on_gpu:
        known = torch.cuda.get_device_properties(asked.device)
        facts |= {
            "CUDA": torch.version.cuda,
            "cuDNN": torch.backends.cudnn.version(),
            "memory": f"{known.total_memory / 2**30:.1f} GiB",
            "multiprocessors": known.multi_processor_count,
        }
    return facts
