"""One genotype trained with one seed, to the end: resumed where it was killed, skipped where it is
done."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, final

from safetensors import SafetensorError
from torch import nn

from nas.errors import StudyError
from nas.seeding import torch_rng
from nas.training.checkpoint import read_weights, save_weights
from nas.training.computation import Computation
from nas.training.datasets import Dataset
from nas.training.datasets._resized import resized
from nas.training.failures import TrainingFailure, memory_watched
from nas.training.recipe import Recipe
from nas.training.schedule import Pace
from nas.training.trainer import Data, Metrics, Progress, Trainer, steps_per_epoch
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.network import build_network
from search_spaces.cells.skeleton import Skeleton

Watch = Callable[[int, Metrics], None]
WEIGHTS, _HALF_WAY = "weights.safetensors", "progress.safetensors"
_SMALLER = (
    "take a part of each batch at a time with --set recipe.micro_batch=16, or a smaller skeleton"
)


class Place(ABC):
    """Where trainings run: in this process, or wherever somebody takes them."""

    def facts(self) -> dict[str, Any]:
        """What of the place decides the weights that come out."""
        return {}

    @contextmanager
    def opened(self, folder: Path, notice: Callable[[str], None]) -> Iterator[None]:
        """Where trainings may run for as long as this lasts.

        Args:
            folder: of the command, for what the place has to write down.
            notice: hears what is about to happen.
        """
        del folder, notice
        yield

    @abstractmethod
    def trainings(self, jobs: Sequence[Job]) -> Iterator[Trained]:
        """Each job's training, in their order; what a folder holds already is not trained again."""


@final
class Here(Place):
    """This process, one training after another."""

    def trainings(self, jobs: Sequence[Job]) -> Iterator[Trained]:
        """Each training when it is asked for."""
        for job in jobs:
            yield job.done() or _trained_here(job)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all seeds and genotypes of one run share."""

    dataset: Dataset
    fingerprint: str  # of the dataset
    recipe: Recipe
    computation: Computation
    checkpoint_seconds: float = 60.0
    place: Place = field(default_factory=Here)
    said: frozenset[str] = frozenset()  # settings of the recipe that no genotype may choose

    def of(self, genotype: Genotype, skeleton: Skeleton) -> Setting:
        """With the recipe that a genotype chose, and pictures of the size of its skeleton."""
        chosen = genotype.settings_of("recipe")
        recipe = self.recipe.changed({n: v for n, v in chosen.items() if n not in self.said})
        if recipe == self.recipe and skeleton.image_size == self.dataset.image_size:
            return self
        dataset = resized(self.dataset, skeleton.image_size)
        return replace(self, recipe=recipe, dataset=dataset)

    @property
    def dataset_word(self) -> str:
        """Its dataset in a folder's name: `digits`, and `photos` of `image-folder:my/photos`."""
        return Path(self.dataset.name.rpartition(":")[2]).name

    def facts(self) -> dict[str, Any]:
        """What weights belong to, besides genotype, skeleton and seed."""
        return {
            "dataset": self.dataset.name,
            "data": self.fingerprint,
            "recipe": self.recipe.to_dict(),
            "precision": self.computation.precision,
            **self.place.facts(),
        }

    def labels(self) -> dict[str, Any]:
        """What travels with weights so that they can be used."""
        return self.dataset.labels

    def data(self) -> Data:
        """What every seed learns from."""
        return Data.of(self.dataset, self.recipe.train_images)


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training: its weights and its metrics, epoch by epoch."""

    seed: int
    file: Path
    curve: list[Metrics]

    @property
    def val_accuracy(self) -> float:
        """The validation accuracy of the last epoch."""
        return self.curve[-1]["val_accuracy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One training of one seed, and the folder that it is kept in.

    Args:
        make: the network to begin with.
        facts: what the weights belong to.
        pace: by its name, what a parameter's learning rate is multiplied by.
        kept: the network whose weights are kept, where something is wrapped around it.
    """

    make: Callable[[Data], nn.Module]
    facts: Mapping[str, Any]
    setting: Setting
    seed: int
    folder: Path
    watch: Watch
    pace: Pace = lambda _: 1.0
    kept: Callable[[nn.Module], nn.Module] = lambda network: network

    @property
    def progress(self) -> Progress:
        """Where it keeps itself between epochs."""
        facts = json.loads(json.dumps(self.facts))
        return Progress(self.folder / _HALF_WAY, facts, self.setting.checkpoint_seconds)

    def done(self) -> Trained | None:
        """The finished training, if the folder holds it already; its curve is told again."""
        return finished(self.folder, self.facts, self.setting.recipe.epochs, self.seed, self.watch)

    def end(self, network: nn.Module, curve: list[Metrics]) -> Trained:
        """Keep a network that has been trained to the end."""
        file = keep(self.kept(network), self.facts, self.setting, curve, self.folder)
        self.progress.file.unlink(missing_ok=True)
        return Trained(self.seed, file, curve)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Say in one sentence why a training came to nothing."""
        try:
            yield
        except TrainingFailure as problem:
            remedy = f"; {_SMALLER}" if problem.failure_kind == "out_of_memory" else ""
            raise StudyError(
                f"the training in {self.folder} came to nothing: {problem}{remedy}"
            ) from problem
        except OSError as problem:
            raise StudyError(
                f"the training in {self.folder} cannot be kept: {problem.strerror or problem}; "
                "make room, and the same "
                "command continues from its last checkpoint"
            ) from problem


def job_of(
    genotype: Genotype, skeleton: Skeleton, setting: Setting, seed: int, folder: Path, watch: Watch
) -> Job:
    """The training of a genotype from scratch with one seed."""
    facts = {
        **setting.facts(),
        "genotype": genotype.to_dict(),
        "skeleton": asdict(skeleton),
        "seed": seed,
    }

    def make(data: Data) -> nn.Module:
        steps = setting.recipe.epochs * steps_per_epoch(setting.recipe, len(data.train))
        return build_network(
            genotype, replace(skeleton, drop_path_steps=steps), torch_rng(seed, "weights")
        )

    return Job(make=make, facts=facts, setting=setting, seed=seed, folder=folder, watch=watch)


def trained(job: Job) -> Trained:
    """The training, where its setting says, unless its folder holds the finished one already."""
    return next(job.setting.place.trainings([job]))


def finished(
    folder: Path, facts: Mapping[str, Any], epochs: int, seed: int, watch: Watch
) -> Trained | None:
    """The training that this folder holds already, if it is the one with these facts; its curve is
    told again."""
    file = folder / WEIGHTS
    try:
        _, found = read_weights(file)
    except (OSError, ValueError, KeyError, SafetensorError):
        return None
    plain = json.loads(json.dumps(facts))
    if (
        any(found.get(name) != value for name, value in plain.items())
        or len(found["curve"]) != epochs
    ):
        return None
    for epoch, metrics in enumerate(found["curve"], start=1):
        watch(epoch, metrics)
    return Trained(seed, file, found["curve"])


def keep(
    network: nn.Module,
    facts: Mapping[str, Any],
    setting: Setting,
    curve: list[Metrics],
    folder: Path,
) -> Path:
    """Write the weights of a finished training, with everything that belongs to them."""
    file = folder / WEIGHTS
    accuracy = {"accuracy": {"validation": curve[-1]["val_accuracy"]}}
    save_weights(file, network, {**facts, **setting.labels(), **accuracy, "curve": curve})
    return file


def _trained_here(job: Job) -> Trained:
    def report(epoch: int, metrics: Metrics) -> bool:
        job.watch(epoch, metrics)
        return True

    data = job.setting.data()
    with job.told(), memory_watched():
        trainer = Trainer(
            job.make(data),
            data,
            job.setting.recipe,
            seed=job.seed,
            computation=job.setting.computation,
            progress=job.progress,
            pace=job.pace,
        )
        return job.end(trainer.network, trainer.run(report))
