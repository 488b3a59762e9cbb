"""Children packed on one GPU: one, two and four processes at once, each trains a child of its
own."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier

import numpy as np

from benchmarks.gpu_proof.asked import Asked, Line, figure
from benchmarks.gpu_proof.boxes import context_of
from benchmarks.training import BATCH, ours
from nas.training.computation import Computation
from nas.training.datasets import open_dataset


def lines(asked: Asked) -> Iterator[Line]:
    """Images per second of all together, and how much each child is slowed."""
    alone = None
    for count in (1, 2) if asked.small else (1, 2, 4):
        rate = _together(count, asked, asked.seconds / 4)
        alone = alone or rate
        yield figure(f"{count} to the {_kind(asked)}, all together", rate, "images/s", alone)
        yield figure(f"{count} to the {_kind(asked)}, each", rate / count, "images/s", alone)


def _together(count: int, asked: Asked, seconds: float) -> float:
    context = context_of(asked)  # each opens the GPU for itself
    answers, barrier = context.SimpleQueue(), context.Barrier(count)
    processes = [
        context.Process(  # type: ignore[attr-defined]
            target=_train, args=(asked, seconds, barrier, answers)
        )
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    failed = [process.exitcode for process in processes if process.exitcode]
    if failed:
        raise RuntimeError(f"{len(failed)} of {count} children ended with {failed[0]}")
    return sum(answers.get() for _ in processes)


def _train(
    asked: Asked, seconds: float, barrier: Barrier, answers: multiprocessing.SimpleQueue[float]
) -> None:
    filters, batches = (1, 1) if asked.small else (32, 20)
    noise = open_dataset("noise:32").load("train")
    images = noise.at(np.arange(batches * BATCH) % len(noise))
    run = ours(filters, images, Computation(asked.device, 1))
    run()  # warms up
    barrier.wait()
    began, seen = time.perf_counter(), 0
    while not seen or time.perf_counter() - began < seconds:
        seen += run()
    answers.put(seen / (time.perf_counter() - began))


def _kind(asked: Asked) -> str:
    return "GPU" if asked.on_gpu else "processor"
