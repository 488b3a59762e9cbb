"""How fast children train: our trainer against a plain reference loop and against the bare loop, in
one run.

The reference is written as papers' code is: contiguous fp32, a `DataLoader` that transforms one
image at a time. The bare loop is ours without a framework: images ready on the device in
channels-last layout, and four lines.

    python benchmarks/training.py [--filters 16] [--cells 2] [--batches 6] [--rounds 3]
        [--threads N]

prints one JSON object per line: name, value, unit, reference, ratio. Each loop has a process of its
own, for what one asks of the memory of its process would help the others.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from nas.seeding import numpy_rng, torch_rng
from nas.study.attempt import never_stop
from nas.training.computation import Computation, usable_cores
from nas.training.datasets import Images, open_dataset, preset
from nas.training.trainer import Data, Trainer
from search_spaces import zoo
from search_spaces.cells.network import build_network
from search_spaces.cells.skeleton import Skeleton

BATCH = 64
SMALL = 4  # below so many filters a child only shows that all of it runs
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class OneByOne(Dataset[tuple[Tensor, int]]):
    """Images as papers' code serves them: pad, crop, flip and normalise one at a time."""

    def __init__(self, images: Images) -> None:
        self.pixels, self.labels = torch.from_numpy(images.pixels), images.labels
        self.rng = numpy_rng(0, "one-by-one")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = functional.pad(self.pixels[index].permute(2, 0, 1).float() / 255, (4, 4, 4, 4))
        top, left = self.rng.integers(0, 9, 2)
        image = image[:, top : top + 32, left : left + 32]
        image = image.flip(2) if self.rng.random() < 0.5 else image
        mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
        return (image - mean) / std, int(self.labels[index])


def child(filters: int, cells: int = 2) -> nn.Module:
    """NASNet-A with so many cells a stage, or as small as it can be."""
    return build_network(
        zoo.load("nasnet-a").genotype,
        Skeleton(cells_per_stage=1 if filters < SMALL else cells, filters=filters),
        torch_rng(0, "w"),
    )


def loop(network: nn.Module, batches: Iterator[tuple[Tensor, Tensor]]) -> int:
    """The four lines every course teaches; how many images it saw."""
    network.train()
    device = next(network.parameters()).device
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    seen = 0
    for images, labels in batches:
        optimizer.zero_grad()
        functional.cross_entropy(network(images.to(device)), labels.to(device)).backward()
        optimizer.step()
        seen += len(labels)
    return seen


def reference(
    filters: int, images: Images, device: str = "cpu", loaders: int = 0, cells: int = 2
) -> Callable[[], int]:
    """The plain loop: contiguous, one image at a time."""
    network = child(filters, cells).to(device)
    loader = DataLoader(OneByOne(images), BATCH, shuffle=True, drop_last=True, num_workers=loaders)
    return lambda: loop(network, iter(loader))


def bare(filters: int, images: Images, device: str = "cpu", cells: int = 2) -> Callable[[], int]:
    """The loop without a framework: images ready on the device, channels-last."""
    network = child(filters, cells).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    ready = (torch.from_numpy(images.pixels).to(device).permute(0, 3, 1, 2) / 255 - 0.5) * 4
    labels = torch.from_numpy(images.labels).to(device)
    parts = range(0, len(images), BATCH)
    return lambda: loop(network, ((ready[i : i + BATCH], labels[i : i + BATCH]) for i in parts))


def ours(
    filters: int, images: Images, computation: Computation, cells: int = 2
) -> Callable[[], int]:
    """The trainer of a search, one epoch at a time, without its validation."""
    one = Images(images.pixels[:1], images.labels[:1])
    recipe = preset("cifar10-quick").recipe.changed(
        {"epochs": 1, "batch_size": BATCH, "train_images": None}
    )
    network = child(filters, cells)

    def run() -> int:
        data = Data(images, one, MEAN, STD)
        trainer = Trainer(network, data, recipe, seed=0, computation=computation)
        trainer.run(never_stop)
        return len(images)

    return run


def apart(make: Callable[[], Callable[[], int]]) -> Callable[[], int]:
    """The run that is made, in a process of its own."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    context.Process(target=_run_when_asked, args=(make, there), daemon=True).start()

    def run() -> int:
        here.send(None)
        seen: int = here.recv()
        return seen

    return run


def _run_when_asked(make: Callable[[], Callable[[], int]], asked: Connection) -> None:
    run = make()
    while True:
        asked.recv()
        asked.send(run())


def rates(runs: dict[str, Callable[[], int]], rounds: int) -> dict[str, float]:
    """Images per second of each: the runs take turns, the best round of each counts."""
    best = dict.fromkeys(runs, 0.0)
    for turn in range(rounds + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            rate = run() / (time.perf_counter() - began)
            if turn:  # the first round warms up
                best[name] = max(best[name], rate)
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--cells", type=int, default=2, help="N, of each stage")
    parser.add_argument("--batches", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=usable_cores())
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    way = Computation(threads=chosen.threads)
    noise = open_dataset("noise:32").load("train")
    images = noise.at(np.arange(chosen.batches * BATCH) % len(noise))
    runs = {
        "reference": apart(lambda: reference(chosen.filters, images, cells=chosen.cells)),
        "bare": apart(lambda: bare(chosen.filters, images, cells=chosen.cells)),
        "ours": apart(lambda: ours(chosen.filters, images, way, cells=chosen.cells)),
    }
    found = rates(runs, chosen.rounds)
    what = f"NASNet-A N={chosen.cells} F={chosen.filters}, {chosen.threads} threads"
    for other in ("reference", "bare"):
        report(f"training against the {other} loop, {what}", found["ours"], found[other])


def report(name: str, value: float, reference: float) -> None:
    """One line of JSON."""
    figures = {"value": round(value, 1), "unit": "images/s", "reference": round(reference, 1)}
    print(json.dumps({"name": name, **figures, "ratio": round(value / reference, 3)}), flush=True)


if __name__ == "__main__":
    main()
