"""What trainings at full size are computed on, from the words of a user."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.errors import SettingsError, known_names
from nas.full_size.settings import setting_of
from nas.full_size.trainings import Here, Place, Setting
from nas.registry import load
from nas.training.computation import Precision, chosen_device
from nas.training.datasets import Dataset
from nas.training.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A device, how exactly it computes, and the processes that take part."""

    device: str = "auto"
    threads: int | None = None
    precision: Precision = "fp32"
    place: Place = field(default_factory=Here)

    def setting(self, dataset: Dataset, recipe: Recipe) -> Setting:
        """What all trainings on a dataset share."""
        return setting_of(
            dataset,
            recipe,
            device=self.device,
            threads=self.threads,
            precision=self.precision,
            place=self.place,
        )


def machine_of(
    *,
    device: str = "auto",
    threads: int | None = None,
    precision: str = "fp32",
    runner: str | None = None,
    workers: int = 1,
    gpus_per_worker: float | None = None,
    sync_batch_norm: bool = False,
    address: str | None = None,
) -> Machine:
    """The machine of these words; what cannot go together is refused."""
    place = place_of(
        runner=runner,
        workers=workers,
        gpus_per_worker=gpus_per_worker,
        sync_batch_norm=sync_batch_norm,
        address=address,
        device=device,
        threads=threads,
    )
    return Machine(device=device, threads=threads, precision=precision_of(precision), place=place)


def precision_of(word: str) -> Precision:
    """The precision of this name."""
    if word == "fp32":
        return "fp32"
    if word == "bf16":
        return "bf16"
    raise SettingsError(known_names(word, ("fp32", "bf16"), "precision"))


def place_of(
    *,
    runner: str | None = None,
    workers: int,
    gpus_per_worker: float | None,
    sync_batch_norm: bool,
    address: str | None,
    device: str,
    threads: int | None,
) -> Place:
    """Where trainings run: in this process, or on Ray where there are several workers or the runner
    is called so."""
    if runner not in (None, "local", "ray"):
        raise SettingsError(known_names(runner, ("local", "ray"), "runner of trainings"))
    if runner == "local" and workers > 1:
        raise SettingsError(
            f"{workers} workers train a network together on Ray: leave out --runner local"
        )
    if workers == 1 and runner != "ray":
        words = {
            "--gpus-per-worker": gpus_per_worker,
            "--address": address,
            "--sync-batch-norm": sync_batch_norm,
        }
        for word, value in words.items():
            if value not in (None, False):
                raise SettingsError(f"{word} is for trainings on Ray: add --workers 2 or more")
        return Here()
    if device not in ("auto", "cpu", "cuda"):
        raise SettingsError(
            f"--device is {device}, but Ray gives each worker a device of its own: say cpu or cuda"
        )
    gpus = (
        float(chosen_device(device).startswith("cuda"))
        if gpus_per_worker is None
        else gpus_per_worker
    )
    place: Place = load("place", "ray-train")(
        workers=workers,
        threads=threads or 1,
        gpus_per_worker=gpus,
        sync_batch_norm=sync_batch_norm,
        address=address,
    )
    if gpus_per_worker and device == "cpu":
        raise SettingsError(
            f"--gpus-per-worker is {gpus_per_worker:g}, but --device is cpu: leave out one of the "
            "two"
        )
    return place
