"""One genotype trained with one seed, to the end: resumed where it was killed, skipped where it is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import nn

from nas.datasets import Dataset
from nas.seeding import torch_rng
from nas.training.checkpoint import read_weights, save_weights
from nas.training.computation import Computation
from nas.training.recipe import Recipe
from nas.training.schedule import Pace
from nas.training.trainer import Data, Metrics, Progress, Trainer, steps_per_epoch
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.network import build_network
from search_spaces.cells.skeleton import Skeleton

Watch = Callable[[int, Metrics], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all seeds and genotypes of one run share."""

    dataset: Dataset
    fingerprint: str  # of the dataset
    classes: tuple[str, ...]
    recipe: Recipe
    computation: Computation
    checkpoint_seconds: float = 60.0

    def facts(self) -> dict[str, Any]:
        """What weights belong to, besides genotype, skeleton and seed."""
        return {
            "dataset": self.dataset.name,
            "data": self.fingerprint,
            "recipe": self.recipe.to_dict(),
            "precision": self.computation.precision,
        }

    def labels(self) -> dict[str, Any]:
        """What travels with weights so that they can be used."""
        return {"classes": list(self.classes), "mean": list(self.dataset.mean), "std": list(self.dataset.std)}

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


def trained(genotype: Genotype, skeleton: Skeleton, setting: Setting, seed: int, folder: Path, watch: Watch) -> Trained:
    """Train a genotype from scratch with one seed, in a folder of its own."""
    facts = {**setting.facts(), "genotype": genotype.to_dict(), "skeleton": asdict(skeleton), "seed": seed}

    def make(data: Data) -> nn.Module:
        steps = setting.recipe.epochs * steps_per_epoch(setting.recipe, len(data.train))
        return build_network(genotype, replace(skeleton, drop_path_steps=steps), torch_rng(seed, "weights"))

    return trained_once(make, facts, setting, seed, folder, watch)


def trained_once(
    make: Callable[[Data], nn.Module],
    facts: Mapping[str, Any],
    setting: Setting,
    seed: int,
    folder: Path,
    watch: Watch,
    *,
    pace: Pace = lambda _: 1.0,
    kept: Callable[[nn.Module], nn.Module] = lambda network: network,
) -> Trained:
    """Any training of one seed, unless its folder holds the finished one already.

    Args:
        make: the network to begin with.
        facts: what the weights belong to.
        kept: the network whose weights are kept, where something is wrapped around it.
    """
    return finished(folder, facts, setting.recipe.epochs, seed, watch) or _trained(
        make, facts, setting, seed, folder, watch, pace, kept
    )


def finished(folder: Path, facts: Mapping[str, Any], epochs: int, seed: int, watch: Watch) -> Trained | None:
    """The training that this folder holds already, if it is the one with these facts; its curve is told again."""
    file = folder / "weights.safetensors"
    try:
        _, found = read_weights(file)
    except (OSError, ValueError, KeyError, SafetensorError):
        return None
    plain = json.loads(json.dumps(facts))
    if any(found.get(name) != value for name, value in plain.items()) or len(found["curve"]) != epochs:
        return None
    for epoch, metrics in enumerate(found["curve"], start=1):
        watch(epoch, metrics)
    return Trained(seed, file, found["curve"])


def keep(network: nn.Module, facts: Mapping[str, Any], setting: Setting, curve: list[Metrics], folder: Path) -> Path:
    """Write the weights of a finished training, with everything that belongs to them."""
    file = folder / "weights.safetensors"
    accuracy = {"accuracy": {"validation": curve[-1]["val_accuracy"]}}
    save_weights(file, network, {**facts, **setting.labels(), **accuracy, "curve": curve})
    return file


def _trained(
    make: Callable[[Data], nn.Module],
    facts: Mapping[str, Any],
    setting: Setting,
    seed: int,
    folder: Path,
    watch: Watch,
    pace: Pace,
    kept: Callable[[nn.Module], nn.Module],
) -> Trained:
    data = setting.data()
    half_way = folder / "progress.safetensors"
    trainer = Trainer(
        make(data),
        data,
        setting.recipe,
        seed=seed,
        computation=setting.computation,
        progress=Progress(half_way, json.loads(json.dumps(facts)), setting.checkpoint_seconds),
        pace=pace,
    )

    def report(epoch: int, metrics: Metrics) -> bool:
        watch(epoch, metrics)
        return True

    curve = trainer.run(report)
    file = keep(kept(trainer.network), facts, setting, curve, folder)
    half_way.unlink(missing_ok=True)
    return Trained(seed, file, curve)
