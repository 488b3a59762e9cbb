"""Trainings in two processes that form a group over the loopback, and what is trained in them."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import distributed, nn

from nas.seeding import torch_rng
from nas.training import trainer
from nas.training.computation import Computation
from nas.training.datasets import open_dataset
from nas.training.failures import Diverged
from nas.training.process_group import ALONE, ProcessGroup
from nas.training.recipe import Recipe
from nas.training.trainer import Data, Metrics, Progress, Trainer
from search_spaces.cells.network import Skeleton, build_network
from search_spaces.nasnet import NasnetSpace

NOISE = open_dataset("noise:8")
DATA = Data(
    NOISE.load("train").at(np.arange(64)),
    NOISE.load("val").at(np.arange(40)),
    NOISE.mean,
    NOISE.std,
)
ONE_BATCH = replace(DATA, train=DATA.train.at(np.arange(16)))
RECIPE = Recipe(
    epochs=3,
    batch_size=16,
    learning_rate=0.02,
    crop="pad",
    crop_margin=1,
    flip=True,
    cutout=2,
    weight_average=0.9,
)
PLAIN = Recipe(epochs=2, batch_size=16, learning_rate=0.02, gradient_clip=0.5)
SKELETON = Skeleton(
    cells_per_stage=1,
    filters=4,
    image_size=8,
    drop_path_keep=0.7,
    drop_path_steps=12,
    dropout_keep=0.9,
)
QUIET = Skeleton(cells_per_stage=1, filters=4, image_size=8)
SMALL_BATCHES = patch.object(
    trainer, "_EVALUATION_PIXELS", 64 * 16
)  # three of the validation images

Learned = dict[str, Any]


class Killed(Exception):
    """Raised in the middle of a training."""


def child(skeleton: Skeleton = SKELETON, seed: int = 0) -> nn.Module:
    """The network that is trained."""
    return build_network(
        NasnetSpace(blocks=2).sample(np.random.default_rng(4)), skeleton, torch_rng(seed, "weights")
    )


def learned(
    recipe: Recipe, group: ProcessGroup = ALONE, skeleton: Skeleton = SKELETON, **options: Any
) -> Learned:
    """A training: its curve and its weights."""
    report = options.pop("report", lambda epoch, metrics: True)
    seed = options.pop("seed", 0)
    one = Trainer(
        child(skeleton, seed),
        options.pop("data", DATA),
        recipe,
        seed=3,
        computation=Computation(),
        group=group,
        **options,
    )
    with SMALL_BATCHES:
        curve = one.run(report)
    return {"curve": curve, "state": one.network.state_dict()}


def one_step(group: ProcessGroup, micro_batch: int) -> Learned:
    """One batch, seen once."""
    recipe = RECIPE.changed({"micro_batch": micro_batch, "epochs": 1})
    return learned(recipe, group, data=ONE_BATCH)


def all_cases(group: ProcessGroup, folder: Path) -> dict[str, Any]:
    """Everything the tests look at, one after another."""
    return {
        "noisy": learned(RECIPE, group),
        "plain": learned(PLAIN, group, QUIET),
        "micro": one_step(group, 4),
        "resumed": _resumed(group, folder),
        "diverged": _diverged(group),
    }


def _resumed(group: ProcessGroup, folder: Path) -> Learned:
    own = folder / f"rank-{group.rank}" / "progress.safetensors"  # only the first process makes its

    def kill(epoch: int, metrics: Metrics) -> bool:
        if epoch == 2:
            raise Killed
        return True

    try:
        learned(RECIPE, group, progress=Progress(own, {"of": "a test"}, 0.0), report=kill)
    except Killed:
        distributed.barrier()
    written = [file.parent.name for file in folder.glob("*/progress.safetensors")]
    file = folder / "rank-0" / own.name
    result = learned(RECIPE, group, progress=Progress(file, {"of": "a test"}, 1e9), seed=8)
    return {**result, "written": written}


def _diverged(group: ProcessGroup) -> str:
    try:
        learned(PLAIN.changed({"learning_rate": 1e3, "gradient_clip": 0, "epochs": 9}), group)
    except Diverged as problem:
        return str(problem)
    return ""


def run_in_group(size: int, work: Callable[[ProcessGroup, Path], Any], folder: Path) -> list[Any]:
    """Run so many processes that know each other; what each returns, by rank."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(size) as pool:
        return pool.starmap(
            _member, [(rank, size, work, folder) for rank in range(size)], chunksize=1
        )


def _member(rank: int, size: int, work: Callable[[ProcessGroup, Path], Any], folder: Path) -> Any:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo0" if sys.platform == "darwin" else "lo"
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=size
    )
    try:
        return work(ProcessGroup.joined(), folder)
    finally:
        distributed.destroy_process_group()
