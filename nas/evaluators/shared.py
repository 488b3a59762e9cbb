"""Judges a child with weights that all children share; nothing of it is trained alone."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from nas.contracts import Evaluation, Evaluator, Json, Report
from nas.errors import SettingsError, shortened
from nas.evaluators.train import Train
from nas.study.files import WEIGHTS_FILE, write_whole
from nas.training.datasets import open_dataset, share
from nas.training.recipe import Recipe
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton
from search_spaces.cells.space import SearchSpace

if TYPE_CHECKING:
    from nas.training.computation import Computation
    from nas.training.shared_weights import SharedWeights
    from nas.training.supernet import Lessons

FORMAT = 1
RECORD = "supernet.json"


@final
class Shared(Evaluator):
    """The validation accuracy of a child with the weights of a supernet (`nas supernet` makes one),
    its batch norms calibrated on training pictures. It stands for no trained accuracy; what it is
    worth, `nas audit` tells.

    Args:
        supernet: the folder that `nas supernet` wrote.
        data_dir: where the dataset's files lie.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        threads: processor threads of one judgement.
        skip_corrupt: leave out the pictures of an image folder that cannot be decoded.
    """

    cheap = True
    stands_in = True

    def __init__(
        self,
        space: SearchSpace,
        *,
        supernet: str,
        data_dir: str | None = None,
        device: str = "auto",
        threads: int = 1,
        skip_corrupt: bool = False,
    ) -> None:
        super().__init__(space)
        self._folder = Path(supernet)
        self._record = _record(self._folder, space)
        self.skeleton = Skeleton(**self._record["skeleton"])
        self.dataset = open_dataset(
            self._record["dataset"],
            data_dir,
            image_size=self.skeleton.image_size,
            skip_corrupt=skip_corrupt,
        )
        self._device = device
        self._threads = threads
        self._weights: SharedWeights | None = None
        self._data_fingerprint: str | None = None

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """Lend the child its weights, calibrate, and look at the validation split."""
        del workdir, report
        from nas.training.supernet import judged_child

        began = time.perf_counter()
        found = judged_child(self._lessons(), self._shared_weights(), genotype, seed)
        metrics = {"shared_accuracy": found["val_accuracy"], "shared_loss": found["val_loss"]}
        seconds = time.perf_counter() - began
        return Evaluation(found["val_accuracy"], {**metrics, **self.costs(genotype)}, seconds)

    def costs(self, genotype: Genotype) -> Mapping[str, float]:
        """Parameters and multiply-adds of the child."""
        from search_spaces.cells.cost import params_and_macs

        return params_and_macs(genotype, self.skeleton)

    def shared(self) -> dict[str, Any]:
        """The images of the search splits, and the weights as arrays."""
        weights = {
            key: tensor.detach().cpu().numpy()
            for key, tensor in self._shared_weights().tensors.items()
        }
        images = {split: self.dataset.load(split) for split in ("train", "val")}
        return {**images, "weights": weights}

    def take_shared(self, shared: dict[str, Any]) -> None:
        """Use these instead of reading them again."""
        import torch

        from nas.training.shared_weights import SharedWeights

        share(self.dataset, {split: shared[split] for split in ("train", "val")})
        tensors = {key: torch.from_numpy(array.copy()) for key, array in shared["weights"].items()}
        self._weights = self._on_device(SharedWeights(self._record["seed"], tensors))

    def measured(self) -> Mapping[str, Json]:
        """How it is computed, and the fingerprints of the data and of the weights."""
        if self._data_fingerprint is None:
            self._data_fingerprint = self.dataset.fingerprint
            if self._data_fingerprint != self._record["data"]:
                raise SettingsError(
                    f"{self._folder} was trained on other data than {self.dataset.name} has now: "
                    "restore the data, or make another with `nas supernet`"
                )
        weights = self._record["weights"]
        return {**self._computation().to_dict(), "data": self._data_fingerprint, "weights": weights}

    def __getstate__(self) -> dict[str, Any]:
        """Weights stay at home: whoever is sent reads them, or is given them by `take_shared`."""
        return {**self.__dict__, "_weights": None}

    def _computation(self) -> Computation:
        from nas.training.computation import Computation, chosen_device

        return Computation(chosen_device(self._device), self._threads)

    def _lessons(self) -> Lessons:
        from nas.training.supernet import Lessons
        from nas.training.trainer import Data

        recipe = Recipe(**self._record["recipe"])
        return Lessons(
            self.space,
            self.skeleton,
            Data.of(self.dataset, recipe.train_images),
            recipe,
            self._record["steps"],
            self._record["seed"],
            self._computation(),
        )

    def _shared_weights(self) -> SharedWeights:
        if self._weights is None:
            self._weights = self._on_device(_weights_of(self._folder, self._record))
        return self._weights

    def _on_device(self, weights: SharedWeights) -> SharedWeights:
        device = self._computation().torch_device
        for key, tensor in weights.tensors.items():
            weights.tensors[key] = tensor.to(device)
        return weights


def make_supernet(
    train: Train,
    folder: Path,
    *,
    steps: int,
    seed: int,
    report: Callable[[int, float], None],
    checkpoint_seconds: float = 20.0,
) -> Mapping[str, Any]:
    """Train shared weights with the skeleton, recipe and data of this evaluator, or go on where a
    killed training was; the content of supernet.json."""
    from nas.training.supernet import PROGRESS, Lessons, learnt, without_noise
    from nas.training.trainer import Data

    computation = train.computation()
    lessons = Lessons(
        train.space,
        without_noise(train.skeleton),
        Data.of(train.dataset, train.recipe.train_images),
        train.recipe,
        steps,
        seed,
        computation,
    )
    settings = {
        "format": FORMAT,
        "space": {"name": train.space.name, "fingerprint": train.space.fingerprint},
        "dataset": train.dataset.name,
        "data": train.dataset.fingerprint,
        "skeleton": dataclasses.asdict(lessons.skeleton),
        "recipe": train.recipe.to_dict(),
        "steps": steps,
        "seed": seed,
    }
    if (folder / RECORD).is_file():
        return _finished(folder, settings)
    folder.mkdir(parents=True, exist_ok=True)
    facts = {**settings, "computation": computation.to_dict()}
    weights, seconds = learnt(lessons, folder, facts, report, seconds_between=checkpoint_seconds)
    return _write(folder, weights, {**facts, "seconds": round(seconds, 3)}, folder / PROGRESS)


def _write(
    folder: Path, weights: SharedWeights, facts: Mapping[str, Any], progress: Path
) -> Mapping[str, Any]:
    """The weights first, the record that names them last."""
    from nas.training.checkpoint import write_tensors

    write_tensors(folder / WEIGHTS_FILE, weights.tensors, {"seed": weights.seed})
    record = {**facts, "weights": _digest(folder / WEIGHTS_FILE)}
    write_whole(folder / RECORD, json.dumps(record, indent=2) + "\n")
    progress.unlink(missing_ok=True)
    return record


def _finished(folder: Path, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record of a supernet that is there already, if it is this one."""
    record: dict[str, Any] = json.loads((folder / RECORD).read_text("utf-8"))
    other = [name for name, value in settings.items() if record.get(name) != value]
    if other:
        raise SettingsError(
            f"{folder} holds a supernet with another {other[0]}: choose another folder with --out"
        )
    return record


def _record(folder: Path, space: SearchSpace) -> dict[str, Any]:
    """What supernet.json says, if it is of this space."""
    path = folder / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
        format_, fingerprint = record["format"], record["space"]["fingerprint"]
    except FileNotFoundError as problem:
        raise SettingsError(
            f"{shortened(str(folder))} holds no supernet: make one with `nas supernet --out`, in "
            "the words of the search, and name its folder"
        ) from problem
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise SettingsError(f"{path} is no record of a supernet: {problem}") from problem
    if format_ != FORMAT:
        raise SettingsError(
            f"{path} has format {shortened(format_)}, but this version reads {FORMAT}"
        )
    if fingerprint != space.fingerprint:
        raise SettingsError(
            f"{folder} is a supernet of another space ({record['space']['name']}) than "
            f"{space.name!r} with these options: make one of its own"
        )
    return record


def _weights_of(folder: Path, record: Mapping[str, Any]) -> SharedWeights:
    from nas.training.checkpoint import read_weights
    from nas.training.shared_weights import SharedWeights

    if _digest(folder / WEIGHTS_FILE) != record["weights"]:
        raise SettingsError(
            f"{folder / WEIGHTS_FILE} is not what {RECORD} names: restore it from a copy, or make "
            "the supernet again"
        )
    tensors, _ = read_weights(folder / WEIGHTS_FILE)
    return SharedWeights(record["seed"], tensors)


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    except OSError as problem:
        raise SettingsError(f"{file} cannot be read: {problem.strerror}") from problem
