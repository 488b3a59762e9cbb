"""NASNet-A (mobile) on pictures of 224 pixels: forward, and forward with backward."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator

import torch

from benchmarks.gpu_proof.asked import Asked, Line, figure
from nas.seeding import torch_rng
from nas.training.computation import Computation, usable_cores
from nas.training.measurement import peak_memory_mib, reset_peak_memory, synchronized
from search_spaces import zoo
from search_spaces.cells.network import SKELETONS, build_network


def lines(asked: Asked) -> Iterator[Line]:
    """Images per second and memory in each precision, channels-last."""
    skeleton, batch = SKELETONS["imagenet-mobile"], 128
    if asked.small:
        skeleton = dataclasses.replace(skeleton, cells_per_stage=1, filters=4, image_size=32)
        batch = 2
    network = build_network(zoo.load("nasnet-a").genotype, skeleton, torch_rng(0, "proof"))
    for precision in ("fp32",) if asked.small else ("fp32", "bf16"):
        threads = 1 if asked.small else usable_cores()
        way = Computation(asked.device, threads, precision)  # type: ignore[arg-type]
        place = network.to(way.torch_device, memory_format=way.memory_format)  # type: ignore[call-overload]
        images = torch.zeros(batch, 3, skeleton.image_size, skeleton.image_size)
        images = images.to(way.torch_device).contiguous(memory_format=way.memory_format)

        def forward(place=place, images=images, way=way) -> torch.Tensor:  # type: ignore[no-untyped-def]
            with way.autocast():
                return place(images)  # type: ignore[no-any-return]

        def infer(forward=forward) -> None:  # type: ignore[no-untyped-def]
            with torch.inference_mode():
                forward()

        def train(forward=forward, place=place) -> None:  # type: ignore[no-untyped-def]
            forward().float().square().mean().backward()
            place.zero_grad(set_to_none=True)

        with way.active():
            place.eval()
            yield figure(f"forward, {precision}", batch * _rate(infer, way, asked), "images/s")
            place.train()
            reset_peak_memory(way.torch_device)
            rate = _rate(train, way, asked)
            yield figure(f"forward and backward, {precision}", batch * rate, "images/s")
            yield figure(f"memory of it, {precision}", peak_memory_mib(way.torch_device), "MiB")


def _rate(action: Callable[[], None], way: Computation, asked: Asked) -> float:
    """How often it is done in a second, by the fastest of several rounds."""
    best, until = 0.0, time.monotonic() + asked.seconds / 6
    for turn in range(200):
        began = synchronized(way.torch_device)
        action()
        took = synchronized(way.torch_device) - began
        best = max(best, 1 / took) if turn > 1 or asked.small else best
        if (asked.small or turn > 3) and time.monotonic() > until:
            break
    return best
