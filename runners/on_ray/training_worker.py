"""The workers' side of a training: they train a network alone or in a group of processes, and the
first of them posts messages to the mailbox."""

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

from nas.errors import NasError, StudyError, shortened
from nas.training.computation import Computation
from nas.training.datasets import Images
from nas.training.failures import TrainingFailure, memory_watched
from nas.training.process_group import ALONE, ProcessGroup, synchronized_norms
from nas.training.recipe import Recipe
from nas.training.schedule import Pace
from nas.training.trainer import Data, Metrics, Progress, Trainer
from runners.on_ray.training_messages import Ended, Progressed, Raised

# What no second try mends; a RuntimeError may be that of a group that has lost a process.
_BUGS = (
    *(ArithmeticError, AssertionError, AttributeError, ImportError),
    *(LookupError, NameError, TypeError, ValueError),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """What workers must know to train a network, besides the network and its data.

    Args:
        number: what the mailbox knows the training by.
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


def train_alone(order: TrainingOrder, network: nn.Module, data: Data, mailbox: Any) -> None:
    """A task of Ray: one process trains the network."""
    _train(order, network, data, mailbox, ALONE)


def train_in_group(given: dict[str, Any]) -> None:
    """The loop of Ray Train, in each process of the group."""
    order: TrainingOrder = given["order"]
    if order.computation.device != "cpu":
        order = replace(order, computation=replace(order.computation, device=str(get_device())))
    network, data = ray.get([given["network"], given["data"]])
    _train(order, network, data, given["mailbox"], ProcessGroup.joined())


def _train(
    order: TrainingOrder, network: nn.Module, data: Data, mailbox: Any, group: ProcessGroup
) -> None:
    wanted, checkpoint = ray.get(mailbox.resume.remote(order.number))
    if not wanted:
        return  # this is a second try, and the first has said why there need be none
    try:
        with tempfile.TemporaryDirectory(prefix="nas-training-") as folder:
            file = Path(folder) / "progress.safetensors"
            if checkpoint is not None:
                file.write_bytes(checkpoint)
            with memory_watched():
                trainer = _trainer(order, network, data, group, file)
                curve = trainer.run(_Report(order.number, mailbox, group, file))
    except (NasError, TrainingFailure) as problem:
        ray.get(mailbox.post.remote(Raised(order.number, problem)))
        raise
    except _BUGS as problem:
        ray.get(mailbox.post.remote(Raised(order.number, _doomed(problem))))
        raise
    if group.is_first:
        state = {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in trainer.network.state_dict().items()
        }
        ray.get(mailbox.post.remote(Ended(order.number, curve, save(state))))


def _doomed(problem: Exception) -> StudyError:
    said = str(problem).strip().splitlines() or ["without a word"]
    return StudyError(
        f"a worker that trains broke with {type(problem).__name__} ({shortened(said[0])}), and so "
        "would every other try: mend that, and the same command continues from the last checkpoint"
    )


def _trainer(
    order: TrainingOrder, network: nn.Module, data: Data, group: ProcessGroup, file: Path
) -> Trainer:
    if order.sync_batch_norm:
        network = synchronized_norms(network, order.computation)
    return Trainer(
        network,
        replace(data, train=_copy_labels(data.train), val=_copy_labels(data.val)),
        order.recipe,
        seed=order.seed,
        computation=order.computation,
        progress=Progress(file, order.facts, order.checkpoint_seconds),
        pace=order.pace,
        group=group,
    )


def _copy_labels(images: Images) -> Images:
    """Ray's arrays are read-only, and torch wants labels it may write."""
    return Images(images.pixels, images.labels.copy())


@final
class _Report:
    """Posts each epoch to the mailbox, and of the checkpoint that was written before it."""

    def __init__(self, number: int, mailbox: Any, group: ProcessGroup, file: Path) -> None:
        self._number, self._mailbox, self._group, self._file = number, mailbox, group, file
        self._seen = self._written_at()

    def __call__(self, epoch: int, metrics: Metrics) -> bool:
        if self._group.is_first:
            ray.get(
                self._mailbox.post.remote(
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
