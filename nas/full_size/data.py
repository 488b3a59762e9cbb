"""What a training at full size learns from: what the user says, else what the study learned
from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nas.errors import NasError, SettingsError, known_names
from nas.exporting.weights import open_weights
from nas.registry import allow, is_outside, load
from nas.search.comparing.plan import read_comparison
from nas.search.plan import read_study_json
from nas.study.places import is_searched, place_of
from nas.study.store import WEIGHTS_FILE
from nas.training.datasets import Dataset, open_dataset, presets


@dataclass(frozen=True, slots=True, kw_only=True)
class DataWish:
    """A dataset and how it is read; what is not said is taken from a study, if there is one.

    Args:
        trust: import what the study names outside this package, its dataset and its space with the
            operations that this brings.
    """

    dataset: str | None = None
    data_dir: Path | None = None
    image_size: int | None = None
    skip_corrupt: bool = False
    trust: bool = False

    def filled(self, source: str) -> DataWish:
        """With what the study `source` learned from, unless another dataset was asked for."""
        if self.trust:
            _know_space(source)
        there = learned_from(source)
        if there is None or self.dataset not in (None, there.dataset):
            return self
        if self.trust:
            allow(there.dataset)
        return replace(
            self,
            dataset=there.dataset,
            data_dir=self.data_dir or there.data_dir,
            image_size=self.image_size or there.image_size,
            skip_corrupt=self.skip_corrupt or there.skip_corrupt,
        )

    def of_weights(self, source: str) -> DataWish:
        """With what the weights `source`, or those of an export's folder, were trained on."""
        place = place_of(source)
        file = place if place.suffix == ".safetensors" else place / WEIGHTS_FILE
        weights = open_weights(file) if file.is_file() else None
        name = None if weights is None else weights.facts.get("dataset")
        if weights is None or not isinstance(name, str):
            return self
        if self.trust:
            allow(name)
        size = None if weights.skeleton is None else weights.skeleton.image_size
        return replace(self, dataset=name, image_size=self.image_size or size)

    def opened(self) -> Dataset:
        """The dataset itself."""
        if self.dataset is None:
            raise NasError(
                "nothing says what to train on: give --dataset image-folder:DIR, or a name of "
                "`nas list datasets`"
            )
        return open_dataset(
            self.dataset,
            self.data_dir,
            image_size=self.image_size,
            skip_corrupt=self.skip_corrupt,
        )


def learned_from(source: str) -> DataWish | None:
    """What the children of a study or a comparison learned from; None where it is neither, or
    nothing learned."""
    evaluator = _searched(source).get("evaluator")
    options: Mapping[str, Any] = evaluator.get("options", {}) if isinstance(evaluator, dict) else {}
    if not isinstance(options.get("dataset"), str):
        return None
    place = options.get("data_dir")
    return DataWish(
        dataset=options["dataset"],
        data_dir=None if place is None else Path(place),
        image_size=options.get("image_size"),
        skip_corrupt=bool(options.get("skip_corrupt")),
    )


def _know_space(source: str) -> None:
    """Import the space of a study, if it is somebody else's: its operations are known from now
    on."""
    space = _searched(source).get("space")
    name = space.get("name") if isinstance(space, dict) else None
    if isinstance(name, str) and is_outside("space", name):
        allow(name)
        load("space", name)


def _searched(source: str) -> Mapping[str, Any]:
    """What was searched in a study's or a comparison's folder; nothing where it is neither."""
    folder = place_of(source)
    if not is_searched(folder):
        return {}
    known = read_comparison(folder)
    return read_study_json(folder) if known is None else next(iter(known["arms"].values()))


def dataset_of_preset(preset: str) -> str:
    """The dataset that carries a preset."""
    known = presets()
    if preset == "fit":
        raise NasError(f"preset {preset!r} names no dataset; say which with --dataset")
    if preset not in known:
        raise SettingsError(known_names(preset, known, "preset"))
    return known[preset][0].name
