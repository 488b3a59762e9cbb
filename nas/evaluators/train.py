"""Trains the network of a genotype on a dataset by a recipe; the score is its validation accuracy,
or a formula."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from nas.contracts import Evaluation, Evaluator, Foreseen, Json, Outlook, Report
from nas.errors import LatencyError, SettingsError, known_names
from nas.evaluators._expressions import Expression
from nas.evaluators._inherited import Inherited
from nas.evaluators._latency_sources import LATENCY, Commanded, latency_source
from nas.seeding import numpy_rng, torch_rng
from nas.study.attempt import hardware_of
from nas.study.store import WEIGHTS_FILE
from nas.training.datasets import Dataset, open_dataset, preset, share
from nas.training.recipe import Recipe
from search_spaces.cells.carrying import carries_input
from search_spaces.cells.decided_settings import DecidedSettings, skeleton_of
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton
from search_spaces.cells.space import SearchSpace

if TYPE_CHECKING:
    from torch import nn

    from nas.training.computation import Computation
    from nas.training.trainer import Data, Progress

_MOST_COMBINATIONS = 10_000  # of settings that are looked at one by one
_METRICS = (
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
    "seconds",
    "images_per_second",
    "peak_memory_mib",
    "params",
    "macs",
)


@final
class Train(Evaluator):
    """Real training. Children see the training and validation splits only; a finished study's
    winner, the test split.

    Args:
        dataset: a name of `nas list datasets`, `image-folder:DIR` or `my_pkg.my_file:MyDataset`.
        preset: recipe and skeleton to begin with; the dataset's own where nothing is said.
        data_dir: where the dataset's files lie.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        threads: processor threads of one child. Several workers want one each.
        precision: `fp32`, `bf16`, or `auto` for what is faster here by a clear margin.
        layout: of images in memory: `channels-last`, `contiguous`, or `auto` likewise.
        graphs: launch passes as CUDA graphs, which helps small networks on large GPUs.
        reproducible: on a GPU, only kernels that give the same bits every time, and no TF32, which
            is slower; on a CPU it is so anyway.
        skeleton: settings of the skeleton that differ from the preset (`filters`,
            `cells_per_stage`, ...).
        recipe: settings of the recipe that differ from the preset (`epochs`, `learning_rate`, ...).
        score: a formula over the metrics of an epoch, `params` and `macs`.
        final: what winners of finished studies are judged by, with their own weights; `none` keeps
            the test split shut.
        keep_weights: leave the weights in `keep/`, so that those of the best children stay with the
            study.
        image_size: of an image folder, where it should not be inferred.
        skip_corrupt: leave out the pictures of an image folder that cannot be decoded.
        latency_batch: measure how long a batch of so many images takes, as the metric `latency_ms`;
            0 measures nothing. A measured number differs a little from time to time, and so does
            what a score or a limit makes of it.
        latency_command: a command that is given an ONNX file of the child, as `{onnx}` in its words
            or on its standard input, and prints `latency_ms`. No shell reads it. Each network is
            asked for once; its answers are remembered for all studies.
        latency_timeout: how many seconds it may take; 60 where nothing is said.
        latency_table: a file of `nas profile --table`, which predicts `latency_ms`.
        checkpoint_seconds: how often a child saves itself at the end of an epoch, to continue after
            a crash.
        inherit: the folder of a supernet (`nas supernet`) whose weights children begin with, in its
            skeleton; else they begin at random.
    """

    heeds = ("skeleton", "recipe")

    device: str

    def __init__(
        self,
        space: SearchSpace,
        *,
        dataset: str = "digits",
        preset: str | None = None,
        data_dir: str | None = None,
        device: str = "auto",
        threads: int = 1,
        precision: Literal["auto", "fp32", "bf16"] = "auto",
        layout: Literal["auto", "channels-last", "contiguous"] = "auto",
        graphs: bool = False,
        reproducible: bool = False,
        skeleton: dict[str, Any] | None = None,
        recipe: dict[str, Any] | None = None,
        score: str = "val_accuracy",
        final: Literal["test_accuracy", "none"] = "test_accuracy",
        keep_weights: bool = True,
        image_size: int | None = None,
        skip_corrupt: bool = False,
        latency_batch: int = 0,
        latency_command: str | None = None,
        latency_timeout: float | None = None,
        latency_table: str | None = None,
        checkpoint_seconds: float = 60.0,
        inherit: str | None = None,
    ) -> None:
        super().__init__(space)
        self.dataset = open_dataset(
            dataset, data_dir, image_size=image_size, skip_corrupt=skip_corrupt
        )
        self.skeleton, self.recipe = child_settings(
            self.dataset, space.name, preset, skeleton or {}, recipe or {}
        )
        self.dataset = seen_at(self.dataset, self.skeleton)
        refuse_misfits(space, self.skeleton, self.recipe)
        self._inherited = Inherited(inherit, space, self.skeleton) if inherit else None
        self._given = (skeleton or {}, recipe or {})
        self.last_step = self.recipe.epochs
        self._latency = latency_source(latency_command, latency_timeout, latency_table)
        self.asks_elsewhere = isinstance(self._latency, Commanded)
        knows_latency = bool(latency_batch) or self._latency is not None
        self._measures = (*_METRICS, LATENCY) if knows_latency else _METRICS
        self._score = Expression(score, self._measures)
        if latency_batch and self._latency is not None:
            raise SettingsError(
                "latency_batch is one way to say latency_ms, and another was named: take one"
            )
        self._latency_batch = latency_batch
        self.device = device
        self._threads = threads
        self._precision = precision
        self._layout = layout
        self._graphs = graphs
        self._reproducible = reproducible
        self._reads_test = final == "test_accuracy"
        self._keep_weights = keep_weights
        self.checkpoint_seconds = checkpoint_seconds
        self._computation: Computation | None = None
        self._hardware = ""
        self._data_fingerprint: str | None = None

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """Train one child; its weights stay in `workdir/keep/`. One through which nothing of an
        image flows is not trained, but told as what it is: chance."""
        if genotype.settings:
            self.computation(), self.measured()  # once for all children
        return self.of(genotype)._trained(genotype, seed, workdir, report)

    def of(self, genotype: Genotype) -> Train:
        """The same judge in the skeleton, recipe and size of pictures that a genotype chose; what
        was set here stays as it is."""
        if not genotype.settings:
            return self
        child, (skeleton, recipe) = copy.copy(self), self._given
        child.skeleton = dataclasses.replace(
            self.skeleton,
            **_but(genotype.settings_of("skeleton"), skeleton),
        )
        child.recipe = self.recipe.changed(_but(genotype.settings_of("recipe"), recipe))
        child.dataset = seen_at(self.dataset, child.skeleton)
        return child

    def _trained(self, genotype: Genotype, seed: int, workdir: Path, report: Report) -> Evaluation:
        from nas.training.trainer import Trainer

        began = time.perf_counter()
        costs = self.costs(genotype)
        if not carries_input(genotype):
            told = {**self._chance(), **costs}
            return Evaluation(self._score(told), {**told, "epochs": 0}, 0.0)

        def scored(metrics: Mapping[str, float]) -> dict[str, float]:
            complete = {**metrics, **costs}
            return {"score": self._score(complete), **complete}

        data = self._data()
        network = self._network(genotype, seed, len(data.train))
        if self._inherited is not None:
            self._inherited.put_into(network)
        trainer = Trainer(
            network,
            data,
            self.recipe,
            seed=seed,
            computation=self.computation(),
            progress=self._progress(genotype, seed, workdir),
        )
        curve = trainer.run(lambda epoch, metrics: report(epoch, scored(metrics)))
        if self._keep_weights:
            self._keep(trainer.network, genotype, workdir)
        last = scored(curve[-1])
        return Evaluation(
            last.pop("score"),
            {**last, "epochs": len(curve), **self._settled()},
            time.perf_counter() - began,
        )

    def at(self, fidelity: float) -> Train:
        """So many of the epochs, at least one, with a schedule of their own."""
        short = copy.copy(self)
        epochs = max(1, round(self.recipe.epochs * fidelity))
        short.recipe = dataclasses.replace(self.recipe, epochs=epochs)
        short.last_step = epochs
        return short

    def final(self, genotype: Genotype, *, kept: Path | None = None) -> Mapping[str, float]:
        """The accuracy on the test split of the very network that was trained; nothing where its
        weights are gone. One that was not trained has that of chance there, too."""
        weights = None if kept is None else kept / WEIGHTS_FILE
        if self._reads_test and not carries_input(genotype):
            return {"test_accuracy": self._chance()["val_accuracy"]}
        if not self._reads_test or weights is None or not weights.is_file():
            return {}
        from nas.evaluators._on_test import accuracy_on_test

        own = self.of(genotype)
        network = own.space.build(genotype, own.skeleton)
        return {"test_accuracy": accuracy_on_test(network, weights, own.dataset, self._judging())}

    @property
    def measures(self) -> Collection[str]:
        """What an epoch measures, with what the network costs."""
        return self._measures

    def costs(self, genotype: Genotype) -> Mapping[str, float]:
        """Parameters and multiply-adds of the child; its latency where that is asked for."""
        skeleton, found = self.of(genotype).skeleton, self._sizes(genotype)
        if self._latency_batch:
            from nas.training.latency import milliseconds

            real = self.space.build(genotype, skeleton)
            shape = (skeleton.channels, skeleton.image_size, skeleton.image_size)
            found[LATENCY] = milliseconds(real, shape, self._latency_batch, self.computation())
        if self._latency is not None:
            found[LATENCY] = self._latency.milliseconds(genotype, skeleton)
        return found

    def outlook(self) -> Outlook:
        """The data, and a typical child."""
        from nas.training.forecast import data_told, network_told
        from search_spaces.cells.cost import cost

        drawn = [self.space.sample(numpy_rng(0, "outlook", number)) for number in range(3)]
        costs = [cost(genotype, self.of(genotype).skeleton) for genotype in drawn]
        typical = sorted(costs, key=lambda one: one.macs)[1]
        told = f"a typical child has {network_told(typical, self._computation)}"
        if self._latency is not None:
            told += f"; latency from {self._latency.told}"
        return Outlook(data_told(self.dataset, self._data()), told, None)

    def foresee(self, genotype: Genotype) -> Foreseen:
        """Train a few steps of the child; one that carries nothing costs nothing."""
        if genotype.settings:
            self.computation()  # once for all children
        return self.of(genotype)._foretasted(genotype)

    def _foretasted(self, genotype: Genotype) -> Foreseen:
        began = time.perf_counter()
        from nas.training.forecast import files_mib, foretaste
        from nas.training.measurement import room_mib

        if not carries_input(genotype):
            return Foreseen(0.0)
        self._asked(genotype)
        data, how = self._data(), self.computation()
        opened = time.perf_counter()
        self._asked(genotype)  # again, for the first time is longer
        network = self._network(genotype, 0, len(data.train))
        prepared = time.perf_counter() - opened
        if self._latency is not None:
            prepared += self._latency.seconds()
        found = foretaste(network, data, self.recipe, how)
        kept, exported = files_mib(network) if self._keep_weights else (0.0, 0.0)
        return Foreseen(
            prepared + found.seconds,
            found.memory_mib,
            room_mib(how.torch_device),
            kept,
            opened - began,
            exported,
        )

    def size(self, genotype: Genotype) -> float:
        """Its multiply-adds."""
        return self._sizes(genotype)["macs"]

    def _sizes(self, genotype: Genotype) -> dict[str, float]:
        from search_spaces.cells.cost import params_and_macs

        return params_and_macs(genotype, self.of(genotype).skeleton)

    def _asked(self, genotype: Genotype) -> Mapping[str, float]:
        """The costs; without a latency that nobody can tell, for a trial says why."""
        try:
            return self.costs(genotype)
        except LatencyError:
            return self._sizes(genotype)

    def shared(self) -> dict[str, Any]:
        """The images of the search splits, and the weights that children begin with."""
        images = {"train": self.dataset.load("train"), "val": self.dataset.load("val")}
        return (
            images if self._inherited is None else {**images, "inherited": self._inherited.arrays()}
        )

    def take_shared(self, shared: dict[str, Any]) -> None:
        """Use these instead of reading them again."""
        share(self.dataset, {split: shared[split] for split in ("train", "val")})
        if self._inherited is not None:
            self._inherited.take(shared["inherited"])

    def measured(self) -> Mapping[str, Json]:
        """The fingerprint of what every child sees."""
        if self._data_fingerprint is None:
            self._data_fingerprint = self.dataset.fingerprint
        latency = {} if self._latency is None else self._latency.measured()
        inherited = {} if self._inherited is None else {"inherited": self._inherited.digest}
        return {"data": self._data_fingerprint, **latency, **inherited}

    def settle(self, known: Sequence[Mapping[str, Json]] = ()) -> Mapping[str, Json]:
        """Device, precision and layout; what was left open is measured on this machine."""
        from nas.training.computation import Computation, chosen_device
        from nas.training.measurement import candidates, fastest

        device = chosen_device(self.device)
        hardware = hardware_of(device)
        base = Computation(
            device, self._threads, graphs=self._graphs, reproducible=self._reproducible
        )
        ways = candidates(base, self._precision, self._layout)
        here = [dict(one) for one in known if one.get("hardware") == hardware]
        before = [way for one in here for way in ways if _settled(hardware, way) == one]
        if before:
            self._computation = before[0]
        elif self._computation not in ways or self._hardware != hardware:
            typical = self.space.sample(numpy_rng(0, "typical"))
            skeleton = self.of(typical).skeleton
            shape = (skeleton.channels, skeleton.image_size, skeleton.image_size)
            make = partial(self.space.build, typical, skeleton)
            self._computation = fastest(ways, make, shape)
        self._hardware = hardware
        return self._settled()

    def computation(self) -> Computation:
        """How children are computed, settled here where nobody has asked for that before; a pickled
        evaluator takes it along."""
        if self._computation is None:
            self.settle()
        assert self._computation is not None
        return self._computation

    def _settled(self) -> dict[str, Json]:
        return _settled(self._hardware, self.computation())

    def _judging(self) -> Computation:
        """How a winner is judged, in one pass: as children here are trained, or, where they were
        trained elsewhere, with what this machine has."""
        if self._computation is not None:
            return self._computation
        from nas.training.computation import Computation, chosen_device

        try:
            device = chosen_device(self.device)
        except SettingsError:
            device = chosen_device("auto")
        return Computation(device, self._threads)

    def _chance(self) -> dict[str, float]:
        """What a network comes to that gives every image the same answer, at its best."""
        labels = self.dataset.load("val").labels
        shares = np.bincount(labels, minlength=self.dataset.classes) / len(labels)
        entropy = -sum(float(share * np.log(share)) for share in shares if share > 0)
        known = {"val_accuracy": float(shares.max()), "val_loss": entropy}
        return {**dict.fromkeys(_METRICS, 0.0), **known}

    def _data(self) -> Data:
        from nas.training.trainer import Data

        return Data.of(self.dataset, self.recipe.train_images)

    def _network(self, genotype: Genotype, seed: int, train_images: int) -> nn.Module:
        """The child, its weights drawn; drop-path spans the whole training."""
        from nas.training.trainer import steps_per_epoch

        steps = self.recipe.epochs * steps_per_epoch(self.recipe, train_images)
        skeleton = dataclasses.replace(self.skeleton, drop_path_steps=steps)
        return self.space.build(genotype, skeleton, torch_rng(seed, "weights"))

    def _progress(self, genotype: Genotype, seed: int, workdir: Path) -> Progress:
        from nas.training.trainer import Progress

        how = self.computation().to_dict()
        facts = {**self._facts(genotype), "seed": seed, **how, **self.measured()}
        return Progress(workdir / "progress.safetensors", facts, self.checkpoint_seconds)

    def _keep(self, network: nn.Module, genotype: Genotype, workdir: Path) -> None:
        from nas.training.checkpoint import save_weights

        save_weights(
            workdir / "keep" / WEIGHTS_FILE,
            network,
            {**self._facts(genotype), **self.dataset.labels},
        )

    def _facts(self, genotype: Genotype) -> dict[str, Json]:
        """What weights belong to."""
        return {
            "genotype": genotype.to_dict(),
            "skeleton": dataclasses.asdict(self.skeleton),
            "dataset": self.dataset.name,
            "recipe": self.recipe.to_dict(),
        }


def _settled(hardware: str, way: Computation) -> dict[str, Json]:
    return {
        "hardware": hardware,
        "device": way.device,
        "precision": way.precision,
        "layout": way.layout,
    }


def seen_at(dataset: Dataset, skeleton: Skeleton) -> Dataset:
    """The dataset with pictures of the size that the skeleton is for."""
    if dataset.image_size == skeleton.image_size:
        return dataset
    from nas.training.datasets._resized import resized

    return resized(dataset, skeleton.image_size)


def refuse_misfits(space: SearchSpace, skeleton: Skeleton, recipe: Recipe | None) -> None:
    """Refuse, before a search begins, settings to decide among which some make no skeleton or
    recipe."""
    if not isinstance(space, DecidedSettings):
        return
    for settings in islice(space.combinations(), _MOST_COMBINATIONS):
        genotype = Genotype(space.name, settings=settings)
        skeleton_of(genotype, skeleton)
        if recipe is not None:
            recipe.changed(genotype.settings_of("recipe"))


def _but(chosen: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in chosen.items() if name not in given}


def child_settings(
    dataset: Dataset,
    space_name: str,
    preset_name: str | None,
    skeleton: Mapping[str, Any],
    recipe: Mapping[str, Any],
) -> tuple[Skeleton, Recipe]:
    """The skeleton and recipe of children: the preset's, fitted to the dataset and space, with what
    was set on top."""
    base = preset(preset_name or dataset.preset, dataset)
    known = {field.name for field in dataclasses.fields(Skeleton)}
    for name in skeleton:
        if name not in known:
            raise SettingsError(known_names(name, known, "setting of the skeleton"))
    given = {
        "classes": dataset.classes,
        "image_size": dataset.image_size,
        "channels": dataset.channels,
    }
    layout = {"layout": "nasbench201"} if space_name == "nasbench201" else {}
    return Skeleton(**{**base.skeleton, **given, **layout, **skeleton}), base.recipe.changed(recipe)
