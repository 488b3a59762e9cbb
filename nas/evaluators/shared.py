"""Judges a child with weights that all children share; nothing of it is trained alone."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from nas.contracts import Evaluation, Evaluator, Foreseen, Json, Report
from nas.errors import SettingsError
from nas.evaluators._supernet_files import (
    FORMAT,
    RECORD,
    digest_of,
    record_of,
    weights_of,
    without_noise,
)
from nas.evaluators._supernet_watched import Foreseeing, ToldSteps
from nas.evaluators.train import Train
from nas.study.store import LOG, SUPERNET, WEIGHTS_FILE, write_whole
from nas.training.datasets import share
from nas.training.recipe import Recipe
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton
from search_spaces.cells.space import SearchSpace

if TYPE_CHECKING:
    from nas.evaluators._supernet_later import LearntOn
    from nas.training.computation import Computation
    from nas.training.shared_weights import SharedWeights
    from nas.training.supernet import SupernetSetting


@final
class Shared(Evaluator):
    """The validation accuracy of a child with weights that all children share (a supernet), its
    batch norms calibrated on training pictures. It stands for no trained accuracy; what it is
    worth, `nas audit` tells.

    Args:
        supernet: the folder that `nas supernet` wrote, which says how it was trained; None: it is
            trained before the first trial, in the folder of the study or comparison.
        steps: how long it is trained then; each step trains one child.
        while_searching: how many steps it takes after each trial that was told, of children among
            the newest 20 (as ENAS trains them while it searches); 0 for none. Scores of early
            and late trials are then of different weights, and trials run one at a time, here.
        supernets: `one`: the same for all searches, whatever their seeds; `per-seed`: each seed has
            its own.
        dataset: a name of `nas list datasets`, `image-folder:DIR` or `my_pkg.my_file:MyDataset`.
        preset: recipe and skeleton to begin with; the dataset's own where nothing is said.
        skeleton: settings of the skeleton that differ from the preset.
        recipe: settings of the recipe that differ from the preset.
        data_dir: where the dataset's files lie.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        threads: processor threads of one judgement.
        image_size: of an image folder, where it should not be inferred.
        skip_corrupt: leave out the pictures of an image folder that cannot be decoded.
        checkpoint_seconds: how often its training saves itself, to continue after a crash.
    """

    cheap = True
    stands_in = True

    def __init__(
        self,
        space: SearchSpace,
        *,
        supernet: str | None = None,
        steps: int = 600,
        while_searching: int = 0,
        supernets: Literal["one", "per-seed"] = "one",
        dataset: str | None = None,
        preset: str | None = None,
        skeleton: dict[str, Any] | None = None,
        recipe: dict[str, Any] | None = None,
        data_dir: str | None = None,
        device: str = "auto",
        threads: int = 1,
        image_size: int | None = None,
        skip_corrupt: bool = False,
        checkpoint_seconds: float = 20.0,
    ) -> None:
        super().__init__(space)
        self._record: Mapping[str, Any] | None = None
        self._folder = Path(supernet or SUPERNET)
        if supernet is not None:
            self._record = record_of(self._folder, space)
            _refuse_another(self._folder, self._record, "dataset", dataset)
            dataset = self._record["dataset"]
            if image_size is None:
                image_size = self._record["skeleton"]["image_size"]
        elif steps < 1:
            raise SettingsError(f"steps is {steps}: expected 1 or more")
        if while_searching < 0:
            raise SettingsError(f"while_searching is {while_searching}: expected 0 or more")
        self._train = Train(
            space,
            dataset=dataset or "digits",
            preset=preset,
            data_dir=data_dir,
            device=device,
            threads=threads,
            precision="fp32",
            layout="channels-last",
            skeleton=skeleton,
            recipe=recipe,
            image_size=image_size,
            skip_corrupt=skip_corrupt,
            checkpoint_seconds=checkpoint_seconds,
        )
        self.dataset = self._train.dataset
        self.skeleton = without_noise(self._train.skeleton)
        if self._record is not None:
            if skeleton or preset:
                asked = dataclasses.asdict(self.skeleton)
                _refuse_another(self._folder, self._record, "skeleton", asked)
            self.skeleton = Skeleton(**self._record["skeleton"])
        self._steps, self._steps_later = steps, while_searching
        self.one_at_a_time = while_searching > 0
        self._learnt_on: LearntOn | None = None
        self.per_seed = supernet is None and supernets == "per-seed"
        self._is_named = supernet is not None
        self._device = device
        self._threads = threads
        self._weights: SharedWeights | None = None
        self._data_fingerprint: str | None = None

    def prepare(self, folder: Path, seed: int, notice: Callable[[str], None]) -> None:
        """Train the weights where none are named and none lie in the study, nor in the comparison
        around it."""
        if self._is_named:
            return
        seed = seed if self.per_seed else 0
        name = f"{SUPERNET}-seed-{seed}" if self.per_seed else SUPERNET
        around = folder.absolute().parents[:2]
        there = (place / name for place in (folder, *around))
        self._folder = next((one for one in there if self._is_in(one, seed)), folder / name)
        report = ToldSteps(self._steps, notice)
        self._record = make_supernet(
            self._train, self._folder, steps=self._steps, seed=seed, report=report
        )
        seconds, digest = self._record["seconds"], self._record["weights"]
        notice(f"{self._steps:,} steps in {seconds:.1f} s, no part of the budget; weights {digest}")

    def _is_in(self, folder: Path, seed: int) -> bool:
        """Whether this very supernet lies there."""
        if not (folder / RECORD).is_file():
            return False
        try:
            return not _other(record_of(folder), _settings(self._train, self._steps, seed))
        except SettingsError:
            return False  # somebody else's

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """Lend the child its weights, calibrate, and look at the validation split."""
        from nas.training.supernet import judged_child

        del report
        weights, more, learning = self._weights_by_now(workdir)
        began = time.perf_counter()
        found = judged_child(self._setting(), weights, genotype, seed)
        metrics = {"shared_accuracy": found["val_accuracy"], "shared_loss": found["val_loss"]}
        metrics |= more
        seconds = learning + time.perf_counter() - began
        return Evaluation(found["val_accuracy"], {**metrics, **self.costs(genotype)}, seconds)

    def _weights_by_now(self, workdir: Path) -> tuple[SharedWeights, dict[str, int], float]:
        """The weights that a trial in this folder is judged by, what it tells of them, and the
        seconds that they learnt for it."""
        study = workdir.absolute().parent.parent
        if not self._steps_later or not (study / LOG).is_file():
            return self._shared_weights(), {}, 0.0
        from nas.evaluators._supernet_later import LearntOn

        learnt_on, self._learnt_on = self._learnt_on, None  # it is half a step if this ends early
        if learnt_on is None or learnt_on.study != study:
            if learnt_on is not None:
                learnt_on.keep()  # of a comparison's studies in turns
            learnt_on = LearntOn(
                study,
                self._setting(),
                self._shared_weights(),
                {"begun": self._made["weights"], "steps_each": self._steps_later},
                steps=self._steps_later,
                seconds_between=self._train.checkpoint_seconds,
            )
        with self._computation().active():
            seconds = learnt_on.catch_up()
        self._learnt_on = learnt_on
        return learnt_on.weights, {"supernet_steps": learnt_on.steps}, seconds

    def foresee_preparation(self, seed: int) -> Foreseen | None:
        """Train the weights for some steps; nothing, where they are named."""
        if self._is_named:
            return None
        from nas.training.supernet import steps_foreseen

        setting = _setting_of(self._train, self._steps, seed if self.per_seed else 0)
        seconds, weights = steps_foreseen(setting)
        seconds, weights = steps_foreseen(setting)
        files = 3 if self._steps_later else 1  # weights again, and their momenta
        return Foreseen(seconds, kept_mib=files * weights)

    def foresee(self, genotype: Genotype) -> Foreseen:
        """Judge the child; where there are no weights yet, new ones take as long."""
        began = time.perf_counter()
        from nas.training.measurement import peak_memory_mib, room_mib
        from nas.training.shared_weights import SharedWeights
        from nas.training.supernet import a_step_foreseen, judged_child

        if self._record is None:
            setting, weights = _setting_of(self._train, self._steps, 0), SharedWeights(0)
        else:
            setting, weights = self._setting(), self._shared_weights()
        self.costs(genotype)
        opened = time.perf_counter()
        judged_child(setting, weights, genotype, 0)
        seconds = time.perf_counter() - opened
        if self._steps_later:
            seconds += self._steps_later * a_step_foreseen(setting, genotype)
        device = setting.computation.torch_device
        return Foreseen(
            seconds, peak_memory_mib(device), room_mib(device), opening_seconds=opened - began
        )

    def costs(self, genotype: Genotype) -> Mapping[str, float]:
        """Parameters and multiply-adds of the child."""
        from search_spaces.cells.cost import params_and_macs

        return params_and_macs(genotype, self.skeleton)

    def shared(self) -> dict[str, Any]:
        """The images of the search splits, and the weights as arrays, where there are any."""
        images = {split: self.dataset.load(split) for split in ("train", "val")}
        if self._record is None:
            return images
        weights = {
            key: tensor.detach().cpu().numpy()
            for key, tensor in self._shared_weights().tensors.items()
        }
        return {**images, "weights": weights, "record": dict(self._made)}

    def take_shared(self, shared: dict[str, Any]) -> None:
        """Use these instead of reading them again; a worker may have been sent before they were
        made."""
        import torch

        from nas.training.shared_weights import SharedWeights

        share(self.dataset, {split: shared[split] for split in ("train", "val")})
        if "weights" not in shared:
            return
        self._record = shared["record"]
        tensors = {key: torch.from_numpy(array.copy()) for key, array in shared["weights"].items()}
        self._weights = self._on_device(SharedWeights(self._made["seed"], tensors))

    def measured(self) -> Mapping[str, Json]:
        """How it is computed, and the fingerprints of the data and of the weights."""
        if self._data_fingerprint is None:
            self._data_fingerprint = self.dataset.fingerprint
            if self._record is not None and self._data_fingerprint != self._record["data"]:
                raise SettingsError(
                    f"{self._folder} was trained on other data than {self.dataset.name} has now: "
                    "restore the data, or make another with `nas supernet`"
                )
        weights = {} if self._record is None else {"weights": self._record["weights"]}
        return {**self._computation().to_dict(), "data": self._data_fingerprint, **weights}

    def __getstate__(self) -> dict[str, Any]:
        """Weights stay at home: whoever is sent reads them, or is given them by `take_shared`."""
        return {**self.__dict__, "_weights": None, "_learnt_on": None}

    def _computation(self) -> Computation:
        from nas.training.computation import Computation, chosen_device

        return Computation(chosen_device(self._device), self._threads)

    def _setting(self) -> SupernetSetting:
        from nas.training.supernet import SupernetSetting
        from nas.training.trainer import Data

        record = self._made
        recipe = Recipe(**record["recipe"])
        return SupernetSetting(
            self.space,
            self.skeleton,
            Data.of(self.dataset, recipe.train_images),
            recipe,
            record["steps"],
            record["seed"],
            self._computation(),
        )

    @property
    def _made(self) -> Mapping[str, Any]:
        """The record of the weights, which must be there by now."""
        if self._record is None:
            raise SettingsError(
                "a search trains its supernet first, but nothing else does: make one with "
                "`nas supernet`, and name it as evaluator.supernet"
            )
        return self._record

    def _shared_weights(self) -> SharedWeights:
        if self._weights is None:
            self._weights = self._on_device(weights_of(self._folder, self._made))
        return self._weights

    def _on_device(self, weights: SharedWeights) -> SharedWeights:
        device = self._computation().torch_device
        for key, tensor in weights.tensors.items():
            weights.tensors[key] = tensor.to(device)
        return weights


def make_supernet(
    train: Train, folder: Path, *, steps: int, seed: int, report: Callable[[int, float], None]
) -> Mapping[str, Any]:
    """Train shared weights with the skeleton, recipe and data of this evaluator, or go on where a
    killed training was; the content of supernet.json. Of two processes at it, one waits."""
    from nas.training.supernet import PROGRESS, learnt

    settings = _settings(train, steps, seed)
    if (folder / RECORD).is_file():
        return _finished(folder, settings)
    setting = _setting_of(train, steps, seed)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        if (folder / RECORD).is_file():
            return _finished(folder, settings)
        facts = {**settings, "computation": setting.computation.to_dict()}
        watched = Foreseeing(steps, report)
        weights, seconds = learnt(
            setting, folder, facts, watched, seconds_between=train.checkpoint_seconds
        )
        took = {"seconds": round(seconds, 3), "foreseen_seconds": watched.foreseen}
        return _write(folder, weights, {**facts, **took}, folder / PROGRESS)


def _setting_of(train: Train, steps: int, seed: int) -> SupernetSetting:
    """What this evaluator's settings make of shared weights."""
    from nas.training.supernet import SupernetSetting
    from nas.training.trainer import Data

    skeleton, data = (
        without_noise(train.skeleton),
        Data.of(train.dataset, train.recipe.train_images),
    )
    return SupernetSetting(
        train.space, skeleton, data, train.recipe, steps, seed, train.computation()
    )


def _settings(train: Train, steps: int, seed: int) -> dict[str, Any]:
    """All that decides shared weights, as supernet.json says it."""
    return {
        "format": FORMAT,
        "space": {"name": train.space.name, "fingerprint": train.space.fingerprint},
        "dataset": train.dataset.name,
        "data": train.dataset.fingerprint,
        "skeleton": dataclasses.asdict(without_noise(train.skeleton)),
        "recipe": train.recipe.to_dict(),
        "steps": steps,
        "seed": seed,
    }


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait for another process that trains in this folder; the kernel lets go however it ends."""
    file = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _write(
    folder: Path, weights: SharedWeights, facts: Mapping[str, Any], progress: Path
) -> Mapping[str, Any]:
    """The weights first, the record that names them last."""
    from nas.training.checkpoint import write_tensors

    write_tensors(folder / WEIGHTS_FILE, weights.tensors, {"seed": weights.seed})
    record = {**facts, "weights": digest_of(folder / WEIGHTS_FILE)}
    write_whole(folder / RECORD, json.dumps(record, indent=2) + "\n")
    progress.unlink(missing_ok=True)
    return record


def _finished(folder: Path, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record of a supernet that is there already, if it is this one."""
    record = record_of(folder)
    if other := _other(record, settings):
        raise SettingsError(
            f"{folder} holds a supernet with another {other[0]}: choose another folder with --out"
        )
    return record


def _other(record: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """The names of settings that a record has otherwise."""
    return [name for name, value in settings.items() if record.get(name) != value]


def _refuse_another(folder: Path, record: Mapping[str, Any], name: str, asked: Any) -> None:
    """What is said beside the name of a supernet must be so."""
    if asked is not None and asked != record[name]:
        raise SettingsError(
            f"{folder} is a supernet with another {name} than the search asks for: leave the "
            f"{name} out, or make another with `nas supernet`"
        )
