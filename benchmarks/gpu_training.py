"""How fast children train on a GPU: each way to compute against the plain reference loop, NASNet-A
at N=2, F=32."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import torch

from benchmarks.training import BATCH, ours, rates, reference, report
from nas.training.computation import Computation, usable_cores
from nas.training.datasets import open_dataset

FILTERS, BATCHES, ROUNDS = 32, 40, 3


def main() -> None:
    """Measure and print, where there is a GPU."""
    if not torch.cuda.is_available():
        sys.exit("there is no CUDA device here, so there is nothing to measure")
    noise = open_dataset("noise:32").load("train")
    images = noise.at(np.arange(BATCHES * BATCH) % len(noise))
    runs = {"reference": reference(FILTERS, images, "cuda", loaders=min(8, usable_cores()))}
    for precision, layout, graphs in itertools.product(
        ("fp32", "bf16"), ("channels-last", "contiguous"), (False, True)
    ):
        way = Computation("cuda", 1, precision, layout, graphs)  # type: ignore[arg-type]
        runs[f"{precision} {layout}{' graphs' if graphs else ''}"] = ours(FILTERS, images, way)
    found = rates(runs, ROUNDS)
    for name, rate in found.items():
        report(f"training on {torch.cuda.get_device_name()}: {name}", rate, found["reference"])


if __name__ == "__main__":
    main()
