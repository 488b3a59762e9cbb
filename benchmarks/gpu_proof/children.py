"""How fast children of `cifar10-search` train: each way to compute, beside a plain loop with the
same network and beside what the card could do."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.nn import functional

from benchmarks.gpu_proof.asked import Asked, Line, figure, left_out
from benchmarks.gpu_proof.card import bytes_per_second, flops_per_second
from benchmarks.gpu_proof.roofline import Roofline
from benchmarks.training import BATCH, bare, child, ours, reference
from nas.training.computation import Computation, usable_cores
from nas.training.datasets import Images, open_dataset

_LOADERS = 8


def lines(asked: Asked) -> Iterator[Line]:
    """The plain loops first, then ours; all of them in turn, the best round of each counts."""
    filters, batches = (1, 1) if asked.small else (32, 40)
    noise = open_dataset("noise:32").load("train")
    images = noise.at(np.arange(batches * BATCH) % len(noise))
    loaders = 0 if asked.small else min(_LOADERS, usable_cores())
    runs = {
        "plain loop, images one by one": reference(filters, images, asked.device, loaders),
        "plain loop, images ready": bare(filters, images, asked.device),
        **dict(_ours(filters, images, asked)),
    }
    best = yield from _in_turn(runs, asked)
    best_rates = {name: rate for name, rate in best.items() if rate}
    plain = best_rates.get("plain loop, images ready")
    for name, rate in best_rates.items():
        yield figure(f"N=2 F={filters} batch {BATCH}: {name}", rate, "images/s", plain)
    yield from _beside_the_card(filters, best_rates, asked)


def _ours(filters: int, images: Images, asked: Asked) -> Iterator[tuple[str, Callable[[], int]]]:
    graphs = (False, True) if asked.on_gpu else (False,)
    layouts = ("channels-last",) if asked.small else ("channels-last", "contiguous")
    for precision, layout, captured in itertools.product(_precisions(asked), layouts, graphs):
        way = Computation(asked.device, 1, precision, layout, captured)  # type: ignore[arg-type]
        name = f"ours, {precision} {layout}{' graphs' if captured else ''}"
        yield name, ours(filters, images, way)
    if asked.on_gpu:
        exact = Computation(asked.device, 1, reproducible=True)
        yield "ours, reproducible", ours(filters, images, exact)


def _precisions(asked: Asked) -> tuple[str, ...]:
    return ("fp32",) if asked.small else ("fp32", "bf16")


def _in_turn(
    runs: dict[str, Callable[[], int]], asked: Asked
) -> Iterator[Line]:  # returns the rates
    """Rounds until the time is over; what fails is said and left out of the rest."""
    best = dict.fromkeys(runs, 0.0)
    until = time.monotonic() + asked.seconds
    for turn in itertools.count():
        for name, run in list(runs.items()):
            try:
                began = time.perf_counter()
                rate = run() / (time.perf_counter() - began)
            except RuntimeError as problem:
                del runs[name]
                yield {"name": name, "failed": str(problem)[:300]}
                continue
            if turn or asked.small:  # the first round warms up
                best[name] = max(best[name], rate)
            if turn and time.monotonic() > until:
                return best
        if asked.small or turn == 6:
            return best
    return best


def _beside_the_card(filters: int, rates: dict[str, float], asked: Asked) -> Iterator[Line]:
    """The best of each precision beside the roofline of a step, measured in this very process."""
    device = torch.device(asked.device)
    bandwidth, peaks = bytes_per_second(device, asked), flops_per_second(device, asked)
    for precision in _precisions(asked):
        mine = [rate for name, rate in rates.items() if name.startswith(f"ours, {precision}")]
        if not mine:
            yield left_out(f"roofline, {precision}", "nothing was measured in this precision")
            continue
        peak = peaks["bf16"] if precision == "bf16" else peaks.get("tf32", peaks["fp32"])
        limit = step_limit(filters, Computation(asked.device, 1, precision), bandwidth, peak)  # type: ignore[arg-type]
        yield figure(f"roofline of a step, {precision}", BATCH / limit.seconds, "images/s")
        yield figure(f"work of a step, {precision}", limit.flops / 1e9, "GFLOP")
        yield figure(f"traffic of a step, {precision}", limit.moved / 1e9, "GB")
        yield figure(
            f"best of ours in {precision} beside the roofline",
            max(mine),
            "images/s",
            BATCH / limit.seconds,
        )


def step_limit(filters: int, way: Computation, bandwidth: float, peak: float) -> Roofline:
    """One forward and backward pass of the child, under the roofline."""
    network = child(filters).to(way.torch_device, memory_format=way.memory_format).train()  # type: ignore[call-overload]
    images = torch.zeros(BATCH, 3, 32, 32, device=way.torch_device)
    labels = torch.zeros(BATCH, dtype=torch.int64, device=way.torch_device)
    with way.active(), Roofline(bandwidth, peak) as limit:
        with way.autocast():
            logits = network(images.contiguous(memory_format=way.memory_format))
        functional.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
    return limit
