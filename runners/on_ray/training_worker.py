"""The workers' side of a training: they learn a lesson alone or in a gang, and the first of them
tells the desk."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import ray
from ray.train.torch import get_device
from safetensors.torch import save
from torch import nn

from nas.errors import NasError
from nas.training.computation import Computation
from nas.training.datasets import Images
from nas.training.failures import TrainingFailure, memory_watched
from nas.training.process_group import ALONE, Gang, synchronized_norms
from nas.training.recipe import Recipe
from nas.training.schedule import Pace
from nas.training.trainer import Data, Metrics, Progress, Trainer
from runners.on_ray.training_messages import Ended, Progressed, Raised


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What workers must know to train a network, besides the network and its data.

    Args:
        number: its name at the desk.
        facts: whose half-finished training it may take up.
    """

    number: int
    recipe: Recipe
    computation: Computation
    seed: int
    pace: Pace
    facts: Mapping[str, Any]
    checkpoint_seconds: float
    sync_batch_norm: bool


def learn_alone(lesson: Lesson, network: nn.Module, data: Data, desk: Any) -> None:
    """A task of Ray: one process trains the network."""
    _learn(lesson, network, data, desk, ALONE)


def learn_together(given: dict[str, Any]) -> None:
    """The loop of Ray Train, in each process of a gang."""
    lesson: Lesson = given["lesson"]
    if lesson.computation.device != "cpu":
        lesson = replace(lesson, computation=replace(lesson.computation, device=str(get_device())))
    network, data = ray.get([given["network"], given["data"]])
    _learn(lesson, network, data, given["desk"], Gang.joined())


def _learn(lesson: Lesson, network: nn.Module, data: Data, desk: Any, gang: Gang) -> None:
    wanted, checkpoint = ray.get(desk.resume.remote(lesson.number))
    if not wanted:
        return  # this is a second try, and the first has said why there need be none
    try:
        with tempfile.TemporaryDirectory(prefix="nas-training-") as folder:
            file = Path(folder) / "progress.safetensors"
            if checkpoint is not None:
                file.write_bytes(checkpoint)
            with memory_watched():
                trainer = _trainer(lesson, network, data, gang, file)
                curve = trainer.run(_Report(lesson.number, desk, gang, file))
    except (NasError, TrainingFailure) as problem:
        ray.get(desk.say.remote(Raised(lesson.number, problem)))
        raise
    if gang.is_first:
        state = {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in trainer.network.state_dict().items()
        }
        ray.get(desk.say.remote(Ended(lesson.number, curve, save(state))))


def _trainer(lesson: Lesson, network: nn.Module, data: Data, gang: Gang, file: Path) -> Trainer:
    if lesson.sync_batch_norm:
        network = synchronized_norms(network, lesson.computation)
    return Trainer(
        network,
        replace(data, train=_owned(data.train), val=_owned(data.val)),
        lesson.recipe,
        seed=lesson.seed,
        computation=lesson.computation,
        progress=Progress(file, lesson.facts, lesson.checkpoint_seconds),
        pace=lesson.pace,
        gang=gang,
    )


def _owned(images: Images) -> Images:
    """Ray's arrays are read-only, and torch wants labels it may write."""
    return Images(images.pixels, images.labels.copy())


@final
class _Report:
    """Tells the desk of each epoch, and of the checkpoint that was written before it."""

    def __init__(self, number: int, desk: Any, gang: Gang, file: Path) -> None:
        self._number, self._desk, self._gang, self._file = number, desk, gang, file
        self._seen = self._written_at()

    def __call__(self, epoch: int, metrics: Metrics) -> bool:
        if self._gang.is_first:
            ray.get(
                self._desk.say.remote(
                    Progressed(self._number, epoch, metrics, self._new_checkpoint())
                )
            )
        return True

    def _new_checkpoint(self) -> bytes | None:
        written_at = self._written_at()
        if written_at == self._seen:
            return None
        self._seen = written_at
        return self._file.read_bytes()

    def _written_at(self) -> int:
        return self._file.stat().st_mtime_ns if self._file.exists() else 0
