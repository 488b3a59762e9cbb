"""What trainings at full size are computed on, from the words of a user."""

from __future__ import annotations

from dataclasses import dataclass

from nas.errors import SettingsError, known_names
from nas.full_size.settings import setting_of
from nas.full_size.trainings import Here, Place, Setting
from nas.registry import load
from nas.training.computation import Precision, chosen_device
from nas.training.datasets import Dataset
from nas.training.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A device, how exactly it computes, and the processes that take part; what cannot go together
    is refused."""

    device: str = "auto"
    threads: int | None = None
    precision: str = "fp32"
    runner: str | None = None
    workers: int = 1
    gpus_per_worker: float | None = None
    sync_batch_norm: bool = False
    address: str | None = None

    def setting(self, dataset: Dataset, recipe: Recipe, place: Place | None = None) -> Setting:
        """What all trainings on a dataset share.

        Args:
            place: where others of the same run train already.
        """
        return setting_of(
            dataset,
            recipe,
            device=self.device,
            threads=self.threads,
            precision=_precision(self.precision),
            place=place or self.place(),
        )

    def place(self) -> Place:
        """Where trainings run: in this process, or on Ray where there are several workers or the
        runner is called so."""
        if self.runner not in (None, "local", "ray"):
            raise SettingsError(known_names(self.runner, ("local", "ray"), "runner of trainings"))
        if self.runner == "local" and self.workers > 1:
            raise SettingsError(
                f"{self.workers} workers train a network together on Ray: leave out --runner local"
            )
        return Here() if self._is_here() else self._on_ray()

    def _is_here(self) -> bool:
        if self.workers > 1 or self.runner == "ray":
            return False
        words = {
            "--gpus-per-worker": self.gpus_per_worker,
            "--address": self.address,
            "--sync-batch-norm": self.sync_batch_norm,
        }
        for word, value in words.items():
            if value not in (None, False):
                raise SettingsError(f"{word} is for trainings on Ray: add --workers 2 or more")
        return True

    def _on_ray(self) -> Place:
        if self.device not in ("auto", "cpu", "cuda"):
            raise SettingsError(
                f"--device is {self.device}, but Ray gives each worker a device of its own: say "
                "cpu or cuda"
            )
        gpus = self.gpus_per_worker
        if gpus is None:
            gpus = float(chosen_device(self.device).startswith("cuda"))
        place: Place = load("place", "ray-train")(
            workers=self.workers,
            threads=self.threads or 1,
            gpus_per_worker=gpus,
            sync_batch_norm=self.sync_batch_norm,
            address=self.address,
        )
        if self.gpus_per_worker and self.device == "cpu":
            raise SettingsError(
                f"--gpus-per-worker is {self.gpus_per_worker:g}, but --device is cpu: leave out "
                "one of the two"
            )
        return place


def _precision(word: str) -> Precision:
    if word == "fp32":
        return "fp32"
    if word == "bf16":
        return "bf16"
    raise SettingsError(known_names(word, ("fp32", "bf16"), "precision"))
