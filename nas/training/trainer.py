"""The loop that trains one network by one recipe: data stays on the device, an epoch is one
permutation."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.errors import SettingsError
from nas.seeding import torch_rng
from nas.training.augment import Draws, Source, drawn
from nas.training.average import WeightAverage
from nas.training.checkpoint import restore_progress, save_progress
from nas.training.computation import Computation
from nas.training.failures import Diverged, OutOfMemory, memory_watched
from nas.training.graphs import CapturedPass
from nas.training.measurement import (
    peak_memory_mib,
    release_memory,
    reset_peak_memory,
    synchronized,
)
from nas.training.process_group import ALONE, ProcessGroup, check_batch
from nas.training.recipe import Recipe
from nas.training.schedule import Pace, learning_rate_at, make_optimizer
from search_spaces.cells.network import Network

if TYPE_CHECKING:
    from nas.training.datasets import Dataset, Images

_EVALUATION_PIXELS = 2**18  # of a batch in evaluation, whatever the size of its images
_STEPS_BETWEEN_CHECKS = 50
_SMALLEST_PART = 2  # images: batch norms of a single one have nothing to average
_STATISTICS = ("running_mean", "running_var")  # as torch names them

Metrics = dict[str, float]
EpochReport = Callable[[int, Metrics], bool]


@dataclass(frozen=True, slots=True)
class Data:
    """What a training learns from and what it is judged by."""

    train: Images
    val: Images
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, dataset: Dataset, train_images: int | None = None) -> Data:
        """The search splits of a dataset, the first cut down to so many images, every class
        alike."""
        train = dataset.load("train")
        if train_images is not None and train_images < len(train):
            train = train.fewer(train_images)
        return cls(train, dataset.load("val"), dataset.mean, dataset.std)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training keeps itself between epochs, at most so often, and the facts that say whose
    it is."""

    file: Path
    facts: Mapping[str, Any]
    seconds_between: float = 60.0


@final
class Trainer:
    """One training. `run` may be called once; the network it was given is then trained.

    Args:
        pace: by its name, what a parameter's learning rate is multiplied by.
        group: the processes that train it together, all with the same arguments; a report must
            answer all of them alike.
    """

    def __init__(
        self,
        network: nn.Module,
        data: Data,
        recipe: Recipe,
        *,
        seed: int,
        computation: Computation,
        progress: Progress | None = None,
        pace: Pace = lambda _: 1.0,
        group: ProcessGroup = ALONE,
    ) -> None:
        if computation.graphs and recipe.micro_batch is not None:
            raise SettingsError(
                f"recipe.micro_batch is {recipe.micro_batch}; with graphs a batch is never divided"
            )
        self._recipe = recipe
        self._seed = seed
        self._group = group
        self._computation = computation
        self._progress = progress
        self._device = computation.torch_device
        self.network = network.to(self._device, memory_format=computation.memory_format)  # type: ignore[call-overload]
        self._train = Source(data.train, data.mean, data.std, recipe, self._device)
        self._val = Source(data.val, data.mean, data.std, recipe, self._device)
        self._batch_size = min(recipe.batch_size, len(self._train))
        check_batch(group, self._batch_size, computation)
        self._steps_per_epoch = steps_per_epoch(recipe, len(self._train))
        self._captured: CapturedPass | None = None
        self._micro_batch = recipe.micro_batch  # smaller where memory does not hold it
        self._fits = False  # whether a pass of this size has been done
        self._parameters = list(network.parameters())
        self._optimizer = make_optimizer(network, recipe, pace)
        self._average = (
            WeightAverage(network, recipe.weight_average) if recipe.weight_average else None
        )

    def run(self, report: EpochReport) -> list[Metrics]:
        """Train to the last epoch, or until a report says stop; the metrics of each epoch."""
        with self._computation.active(), memory_watched():
            curve = self._restored()
            self._group.check_equal(len(curve), "the epoch they continue from")
            saved = time.monotonic()
            for epoch in range(1, self._recipe.epochs + 1):
                if epoch > len(curve):
                    curve.append(self._epoch(epoch))
                    saved = self._saved(curve, saved)
                if not report(epoch, curve[epoch - 1]):
                    curve = curve[:epoch]
                    break
            if self._average is not None:
                self._average.copy_to(self.network)
            return curve

    def _epoch(self, epoch: int) -> Metrics:
        """Train over one permutation, then judge."""
        reset_peak_memory(self._device)
        began = synchronized(self._device)
        train_loss, train_accuracy = self._learn(epoch)
        self._group.average(self._statistics())
        learned = synchronized(self._device)
        with nullcontext() if self._average is None else self._average.applied(self.network):
            val_loss, val_accuracy = evaluated(
                self.network, self._val, self._computation, self._group
            )
        ended = synchronized(self._device)
        if not math.isfinite(val_loss):
            raise Diverged(
                f"the validation loss is {val_loss} after epoch {epoch}; try a lower learning rate"
            )
        return {
            "train_loss": train_loss,
            "train_accuracy": train_accuracy,
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "learning_rate": self._optimizer.param_groups[0]["lr"],
            "seconds": ended - began,
            "images_per_second": self._steps_per_epoch * self._batch_size / (learned - began),
            "peak_memory_mib": peak_memory_mib(self._device),
            **self._divided(),
        }

    def _divided(self) -> Metrics:
        """How many images were computed at a time, where that is less than the recipe says."""
        part = self._micro_batch
        return {} if part is None or part == self._recipe.micro_batch else {"micro_batch": part}

    def _learn(self, epoch: int) -> tuple[float, float]:
        """One pass over the training images; mean loss and share of right answers, as the network
        changed."""
        self.network.train()
        rng = torch_rng(self._seed, "epoch", epoch)
        draws = drawn(self._recipe, len(self._train), self._train.image_size, rng, self._device)
        loss = torch.zeros((), device=self._device)
        right = torch.zeros((), device=self._device, dtype=torch.int64)
        for step in range(self._steps_per_epoch):
            start = step * self._batch_size
            step_loss, step_right = self._step(
                draws.part(start, start + self._batch_size), epoch, step
            )
            loss += step_loss
            right += step_right
            if (step + 1) % _STEPS_BETWEEN_CHECKS == 0 or step + 1 == self._steps_per_epoch:
                _check_finite(float(self._group.total(loss)), epoch, step)
        loss, right = self._group.total(loss), self._group.total(right)
        return float(loss) / self._steps_per_epoch, int(right) / (
            self._steps_per_epoch * self._batch_size
        )

    def _step(self, draws: Draws, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """One update of the weights."""
        done = (epoch - 1) * self._steps_per_epoch + step
        for param_group in self._optimizer.param_groups:
            param_group["lr"] = param_group["pace"] * learning_rate_at(
                self._recipe, done, self._steps_per_epoch
            )
        loss, right = (
            self._graphed(draws, done) if self._computation.graphs else self._gradients(draws, done)
        )
        self._group.add_gradients(self._parameters)
        if self._recipe.gradient_clip:
            nn.utils.clip_grad_norm_(self._parameters, self._recipe.gradient_clip)
        self._optimizer.step()
        if self._average is not None:
            self._average.update(self.network, done)
        return loss, right

    def _gradients(self, draws: Draws, done: int) -> tuple[Tensor, Tensor]:
        """Add up the gradients of our share of a batch; where memory does not hold what is computed
        at a time, half of it, until it does."""
        while True:
            before = None if self._fits else [each.clone() for each in self._statistics()]
            try:
                with memory_watched():
                    found = self._accumulated(draws, done)
            except OutOfMemory:
                first, end = self._group.share(len(draws.order))
                if (self._micro_batch or end - first) < 2 * _SMALLEST_PART:
                    raise
                smaller = -(-min(self._micro_batch or end - first, end - first) // 2)
            else:
                self._fits = True
                return found

            # The failed pass is forgotten here, where no exception holds its tensors any more, but
            # for a ring of exception and frames, which Python 3.13 leaves to its collector.
            gc.collect()
            self._micro_batch, self._fits = smaller, False
            for old, each in zip(before or [], self._statistics(), strict=before is not None):
                each.copy_(old)
            release_memory(self._device)

    def _accumulated(self, draws: Draws, done: int) -> tuple[Tensor, Tensor]:
        """A part of the batch at a time, where the recipe or the memory says so."""
        self._optimizer.zero_grad(set_to_none=True)
        size = len(draws.order)
        part = min(self._micro_batch or size, size)
        loss = torch.zeros((), device=self._device)
        right = torch.zeros((), device=self._device, dtype=torch.int64)
        first, end = self._group.share(size)
        for start in range(first, end, part):
            images, labels = self._train.augmented(draws.part(start, min(start + part, end)))
            self._draw_noise(done, start, len(labels))
            part_loss, part_right = self._pass(images, labels, len(labels) / size)
            loss += part_loss
            right += part_right
        return loss, right

    def _graphed(self, draws: Draws, done: int) -> tuple[Tensor, Tensor]:
        """The same through a CUDA graph, captured at the first batch."""
        images, labels = self._train.augmented(draws)
        self._draw_noise(done, 0, len(labels))
        if self._captured is None:
            self._captured = CapturedPass(self.network, self._pass, images, labels)
        return self._captured(images, labels)

    def _pass(self, images: Tensor, labels: Tensor, share: float = 1.0) -> tuple[Tensor, Tensor]:
        """Forward and backward; loss and right answers of this share of a batch."""
        loss, logits = self._loss(images, labels)
        loss = loss * share
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach(), (logits.detach().argmax(1) == labels).sum()

    def _draw_noise(self, done: int, start: int, count: int) -> None:
        """Drop-path and dropout draw from our generators, never from the global one."""
        if isinstance(self.network, Network) and self.network.noise.active:
            self.network.begin_step(done, count, torch_rng(self._seed, "noise", done, start))

    def _loss(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        smoothing = self._recipe.label_smoothing
        with self._computation.autocast():
            logits, auxiliary = _outputs(self.network, images)
        loss = functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
        if auxiliary is not None:
            extra = functional.cross_entropy(auxiliary.float(), labels, label_smoothing=smoothing)
            loss = loss + self._recipe.auxiliary_weight * extra
        return loss, logits

    def _statistics(self) -> list[Tensor]:
        """What batch norms learnt, which differs between the processes of a group; in the running
        mean too.

        Those that do not train hold the same numbers everywhere, and a mean of them could differ in
        the last bit.
        """
        own = {
            f"{place}.{name}": tensor
            for place, module in self.network.named_modules()
            if module.training
            for name, tensor in module.named_buffers(recurse=False)
            if name in _STATISTICS
        }
        averaged = [] if self._average is None else [self._average.mean[name] for name in own]
        return [*own.values(), *averaged]

    def _restored(self) -> list[Metrics]:
        if self._progress is None:
            return []
        average = None if self._average is None else self._average.mean
        facts = restore_progress(
            self._progress.file, self.network, self._optimizer, self._progress.facts, average
        )
        curve: list[Metrics] = [] if facts is None else facts["curve"]
        if curve and "micro_batch" in curve[-1]:
            self._micro_batch = int(curve[-1]["micro_batch"])
        return curve

    def _saved(self, curve: list[Metrics], saved: float) -> float:
        """Keep the training if the last time is long ago; when that was last done."""
        progress = self._progress
        if (
            progress is None
            or not self._group.is_first
            or time.monotonic() - saved < progress.seconds_between
        ):
            return saved
        average = None if self._average is None else self._average.mean
        save_progress(
            progress.file,
            self.network,
            self._optimizer,
            {**progress.facts, "curve": curve},
            average,
        )
        return time.monotonic()


def evaluated(
    network: nn.Module, source: Source, computation: Computation, group: ProcessGroup = ALONE
) -> tuple[float, float]:
    """Mean loss and accuracy over a split, in one pass; the processes of a group take its
    batches in turn."""
    network.eval()
    batch_size = min(max(_EVALUATION_PIXELS // source.image_size**2, 16), 1024)
    losses, right = [], []
    with torch.inference_mode(), computation.autocast():
        for images, labels in source.plain_batches(batch_size, group.rank, group.size):
            logits = network(images).float()
            losses.append(functional.cross_entropy(logits, labels, reduction="sum"))
            right.append((logits.argmax(1) == labels).sum())
        if not losses:  # there are fewer batches than processes
            losses = [torch.zeros((), device=computation.torch_device)]
            right = [torch.zeros((), device=computation.torch_device, dtype=torch.int64)]
        loss, count = group.total(torch.stack(losses).sum()), group.total(torch.stack(right).sum())
    return float(loss) / len(source), int(count) / len(source)


def steps_per_epoch(recipe: Recipe, train_images: int) -> int:
    """Full batches in an epoch; what is left over is left out, other images every time."""
    return max(1, train_images // recipe.batch_size)


def _outputs(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor | None]:
    return (
        network.forward_with_auxiliary(images)
        if isinstance(network, Network)
        else (network(images), None)
    )


def _check_finite(loss: float, epoch: int, step: int) -> None:
    if not math.isfinite(loss):
        raise Diverged(
            f"the training loss is {loss} in epoch {epoch} at step {step + 1}; try a lower "
            "learning rate"
        )
