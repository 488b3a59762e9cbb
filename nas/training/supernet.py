"""Training shared weights: a step trains one uniformly drawn child. A judged child gets batch norms
calibrated anew, on training pictures."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from nas.errors import SettingsError
from nas.seeding import numpy_rng, torch_rng
from nas.training.augment import Draws, Source, drawn
from nas.training.checkpoint import read_weights, write_tensors
from nas.training.computation import Computation
from nas.training.failures import Diverged
from nas.training.recipe import Recipe
from nas.training.shared_weights import SharedWeights
from nas.training.trainer import Data, evaluated, steps_per_epoch
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton
from search_spaces.cells.space import SearchSpace

PROGRESS: Final = "progress.safetensors"
CALIBRATED_ON: Final = 256  # training pictures
_LATER: Final = 0.1  # of the recipe's learning rate, for steps beyond those that were planned
_WARMING_UP, _TIMED, _ENOUGH_SECONDS = 4, 40, 4.0  # steps, steps, and what they may take
_TIMED_OF_ONE = 3  # steps of one child
_MOST_DRAWN, _DRAWING_SECONDS = 200, 2.0  # children that make all the weights there are

Report = Callable[[int, float], None]  # (step, loss)


@final
@dataclass(frozen=True, slots=True)
class SupernetSetting:
    """All that decides shared weights."""

    space: SearchSpace
    skeleton: Skeleton
    data: Data
    recipe: Recipe
    steps: int
    seed: int
    computation: Computation


def learnt(
    setting: SupernetSetting,
    folder: Path,
    facts: Mapping[str, Any],
    report: Report,
    *,
    seconds_between: float = 20.0,
) -> tuple[SharedWeights, float]:
    """Train shared weights, or go on where a killed training kept itself in this folder; the
    weights, and the seconds of all its parts."""
    learner = Learner(setting)
    began, saved = time.monotonic() - learner.restored(folder / PROGRESS, facts), time.monotonic()
    with setting.computation.active():
        while learner.step < setting.steps:
            report(learner.step, learner.learn())
            if time.monotonic() - saved >= seconds_between:
                learner.keep(folder / PROGRESS, facts, time.monotonic() - began)
                saved = time.monotonic()
    return learner.shared, time.monotonic() - began


def steps_foreseen(setting: SupernetSetting) -> tuple[float, float]:
    """What training shared weights takes, from some of its steps: seconds, and MiB of weights."""
    learner = Learner(setting)
    with setting.computation.active():
        for _ in range(_WARMING_UP):
            learner.learn()
        began, timed = time.monotonic(), 0
        while timed < _TIMED and (timed == 0 or time.monotonic() - began < _ENOUGH_SECONDS):
            learner.learn()
            timed += 1
        a_step = (time.monotonic() - began) / timed

    began = time.monotonic()
    for step in range(learner.step, min(setting.steps, _MOST_DRAWN)):
        if time.monotonic() - began > _DRAWING_SECONDS:
            break
        learner.meet(step)
    weights = learner.shared.tensors.values()
    size = sum(tensor.numel() * tensor.element_size() for tensor in weights)
    return setting.steps * a_step, size / 2**20


def a_step_foreseen(setting: SupernetSetting, genotype: Genotype) -> float:
    """The seconds of a step of this child, from some."""
    learner = Learner(setting)
    with setting.computation.active():
        learner.learn(genotype)
        began = time.monotonic()
        for _ in range(_TIMED_OF_ONE):
            learner.learn(genotype)
    return (time.monotonic() - began) / _TIMED_OF_ONE


@final
class Learner:
    """Shared weights with their momenta, between two steps.

    Args:
        learnt: weights that have had all their planned steps; what follows is taken at a small and
            constant rate.
    """

    def __init__(self, setting: SupernetSetting, learnt: SharedWeights | None = None) -> None:
        self._setting = setting
        self.shared = SharedWeights(setting.seed) if learnt is None else learnt
        for tensor in self.shared.tensors.values():
            tensor.requires_grad_()
        self.step = 0 if learnt is None else setting.steps
        self._momenta: dict[str, Tensor] = {}
        data = setting.data
        self._source = Source(
            data.train, data.mean, data.std, setting.recipe, setting.computation.torch_device
        )
        self._epoch: tuple[int, Draws] | None = None

    def learn(self, genotype: Genotype | None = None) -> float:
        """One step of this child, or of one that the number of the step draws; the loss."""
        setting = self._setting
        network, weights = self.meet(self.step, genotype)
        images, labels = self._source.augmented(self._batch())
        with setting.computation.autocast():
            logits = functional_call(network, weights, (images,))
        loss = functional.cross_entropy(
            logits.float(), labels, label_smoothing=setting.recipe.label_smoothing
        )
        loss.backward()  # type: ignore[no-untyped-call]
        value = float(loss.detach())
        if not math.isfinite(value):
            raise Diverged(f"the loss is {value} at step {self.step}; try a lower learning rate")
        self._update()
        self.step += 1
        return value

    def meet(
        self, step: int, genotype: Genotype | None = None
    ) -> tuple[nn.Module, dict[str, Tensor]]:
        """The child of a step, and what it borrows, which is remembered from now on."""
        setting = self._setting
        if genotype is None:
            genotype = setting.space.sample(numpy_rng(setting.seed, "shared", "child", step))
        network = child(setting, genotype).train()
        return network, self.shared.of(network, learning=True)

    def keep(self, file: Path, facts: Mapping[str, Any], seconds: float) -> None:
        """Write down all that the next step needs."""
        weights = {f"weight/{key}": tensor for key, tensor in self.shared.tensors.items()}
        momenta = {f"momentum/{key}": tensor for key, tensor in self._momenta.items()}
        write_tensors(file, weights | momenta, {**facts, "step": self.step, "seconds": seconds})

    def restored(self, file: Path, facts: Mapping[str, Any]) -> float:
        """Go on from what was kept; the seconds it took until then."""
        try:
            tensors, kept = read_weights(file)
        except FileNotFoundError:
            return 0.0
        except (OSError, ValueError, KeyError, SafetensorError) as problem:
            raise SettingsError(
                f"{file} cannot be read ({problem}): remove it to begin anew"
            ) from problem
        if any(kept.get(name) != value for name, value in facts.items()):
            raise SettingsError(
                f"{file} is of a supernet with other settings: choose another folder with --out, "
                "or remove it"
            )
        self.take(tensors, kept["step"])
        return float(kept["seconds"])

    def take(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Stand where `keep` was called."""
        device = self._setting.computation.torch_device
        for name, tensor in tensors.items():
            kind, _, key = name.partition("/")
            if kind == "weight":
                self.shared.tensors[key] = tensor.to(device).requires_grad_()
            else:
                self._momenta[key] = tensor.to(device)
        self.step = step

    def _batch(self) -> Draws:
        """The pictures of this step: an epoch is one permutation, as in every training."""
        recipe, count = self._setting.recipe, len(self._source)
        epoch, place = divmod(self.step, steps_per_epoch(recipe, count))
        if self._epoch is None or self._epoch[0] != epoch:
            rng = torch_rng(self._setting.seed, "shared", "epoch", epoch)
            device = self._setting.computation.torch_device
            self._epoch = epoch, drawn(recipe, count, self._source.image_size, rng, device)
        size = min(recipe.batch_size, count)
        return self._epoch[1].part(place * size, (place + 1) * size)

    @torch.no_grad()
    def _update(self) -> None:
        """SGD with momentum over what this child has; the others rest."""
        recipe = self._setting.recipe
        rate = recipe.learning_rate * self._schedule()
        # In one order, however they came here: what is clipped is a sum.
        known = sorted(self.shared.tensors.items())
        used = {key: tensor for key, tensor in known if tensor.grad is not None}
        if recipe.gradient_clip:
            nn.utils.clip_grad_norm_(list(used.values()), recipe.gradient_clip)
        for key, tensor in used.items():
            gradient = tensor.grad
            assert gradient is not None
            if tensor.ndim > 1:
                gradient = gradient + recipe.weight_decay * tensor
            old = self._momenta.get(key)
            momentum = gradient.clone() if old is None else old * recipe.momentum + gradient
            self._momenta[key] = momentum
            step = gradient + recipe.momentum * momentum if recipe.nesterov else momentum
            tensor -= rate * step
            tensor.grad = None

    def _schedule(self) -> float:
        """The share of the recipe's learning rate at this step."""
        if self.step >= self._setting.steps:
            return _LATER
        return 0.5 * (1 + math.cos(math.pi * self.step / self._setting.steps))


def child(setting: SupernetSetting, genotype: Genotype) -> nn.Module:
    """The network of a child, on its device; its own weights are not looked at."""
    network = setting.space.build(genotype, setting.skeleton)
    way = setting.computation
    return network.to(way.torch_device, memory_format=way.memory_format)  # type: ignore[call-overload, no-any-return]


def judged_child(
    setting: SupernetSetting, shared: SharedWeights, genotype: Genotype, seed: int
) -> dict[str, float]:
    """Loss and accuracy on the validation split of a child with shared weights; the seed chooses
    the pictures its batch norms are calibrated on."""
    data, way = setting.data, setting.computation
    order = numpy_rng(seed, "shared", "calibration").permutation(len(data.train))
    few = data.train.at(order[:CALIBRATED_ON])
    with way.active():
        network = child(setting, genotype)
        weights = shared.of(network)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.copy_(weights[name])
        source = Source(few, data.mean, data.std, Recipe(), way.torch_device)
        _calibrate(network, source.plain(0, len(few))[0], way)
        validation = Source(data.val, data.mean, data.std, Recipe(), way.torch_device)
        loss, accuracy = evaluated(network, validation, way)
    return {"val_loss": loss, "val_accuracy": accuracy}


@torch.no_grad()
def _calibrate(network: nn.Module, images: Tensor, way: Computation) -> None:
    """Statistics of these images, and of nothing else, into every batch norm."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    network.train()
    with way.autocast():
        network(images)
