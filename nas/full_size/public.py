"""Retrain and transfer from Python: the settings of the command line by their names."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from nas.errors import SettingsError, known_names, shortened
from nas.exporting.choosing import Source, word_of
from nas.exporting.known import formats_of
from nas.full_size.data import DataWish
from nas.full_size.machine import Machine
from nas.full_size.retrain import Retrained
from nas.full_size.retrain import retrain as retrain_all
from nas.full_size.transfer import Transferred
from nas.full_size.transfer import transfer as transfer_all
from nas.full_size.wish import (
    RetrainWish,
    TransferWish,
    retraining_of,
    transfer_of,
    usual_folder,
)
from nas.search.keywords import tree_of_keywords
from nas.search.progress import ShownLine, is_watched

if TYPE_CHECKING:
    from nas.training.trainer import Metrics

_OF_DATA = tuple(field.name for field in fields(DataWish))
_OF_MACHINE = tuple(field.name for field in fields(Machine))
_OTHERS = ("seed", "set")


class TrainingSettings(TypedDict, total=False):
    """What trainings at full size are told alike; `nas retrain --help` says what each means."""

    dataset: str
    data_dir: str | Path
    image_size: int
    skip_corrupt: bool
    trust: bool
    device: str
    threads: int
    precision: str
    runner: str
    workers: int
    gpus_per_worker: float
    sync_batch_norm: bool
    address: str
    seed: int
    set: Mapping[str, Any] | Sequence[str]


def retrain(
    source: Source,
    *,
    preset: str | None = None,
    seeds: int | str = 3,
    top: int = 1,
    front: bool = False,
    to: str | Sequence[str] | None = None,
    out: str | Path | None = None,
    progress: bool | None = None,
    **settings: Unpack[TrainingSettings],
) -> Retrained:
    """Train from scratch at full size, read the test split once, export. The same call continues.

    Settings have the names that `nas retrain --help` explains.

    Args:
        source: a study or its folder, an exported folder, or a genotype in any form.
        seeds: how many trainings of each genotype; `seed` is the first.
        top: so many of the best of a study, ranked by validation.
        front: all on the front of a study with several objectives, each judged on the test split.
        to: formats of the export; None is all that can be written here, () none.
        progress: whether to show each epoch; None is in a terminal or a notebook.

    >>> import nas
    >>> cell = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
    >>> found = nas.retrain(
    ...     cell, dataset="digits", seeds=2, to=["json"], out="full-size",
    ...     set={"recipe.epochs": 1, "recipe.train_images": 100, "skeleton.filters": 4},
    ... )
    >>> len(found.tests), found.entrants[0].best.file.name
    (2, 'weights.safetensors')
    """
    numbers = _seeds(settings.get("seed", 0), seeds)
    wish = RetrainWish(
        data=_data(settings),
        machine=_machine(settings),
        preset=preset,
        top=top,
        front=front,
        settings=_parts(settings, ("skeleton", "recipe")),
    )
    formats = formats_of(to)
    setting, entrants = retraining_of(word_of(source), wish)
    folder = usual_folder(entrants, setting) if out is None else Path(out)
    show = _epochs(progress)
    with setting.place.opened(folder, _notices(progress)):
        return retrain_all(
            entrants,
            setting,
            folder,
            seeds=numbers,
            watch=lambda choice, *epoch: show(choice.name, *epoch),
            formats=formats,
            front=front,
        )


def transfer(
    source: Source,
    *,
    preset: str = "fit",
    mode: str = "scratch",
    target_macs: int | None = None,
    target_params: int | None = None,
    within: float | None = None,
    weights: str | Path | None = None,
    pretrain: str | None = None,
    pretrain_size: int | None = None,
    bodies: str | Path | None = None,
    open_cells: int = 2,
    pace: float = 0.1,
    controls: Sequence[str] = (),
    cells: str | Path | None = None,
    seeds: int | str = 1,
    to: str | Sequence[str] | None = None,
    out: str | Path | None = None,
    progress: bool | None = None,
    **settings: Unpack[TrainingSettings],
) -> Transferred:
    """Take a cell to other data, beside controls, judged on the test split once. The same call
    continues.

    Settings have the names that `nas transfer --help` explains.

    Args:
        source: a genotype in any form, a study, its folder or an export's.
        mode: scratch, features or finetune.
        controls: arms beside it: `["random-cell", "resnet"]`.
        cells: a file of more cells beside it, a line each: what stands for a genotype, or JSON with
            `genotype`, `name` and `score`.
        seeds: how many trainings of each arm; `seed` is the first.
        to: formats of the export; None is all that can be written here, () none.
        progress: whether to show each epoch; None is in a terminal or a notebook.

    >>> import nas
    >>> cell = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
    >>> found = nas.transfer(
    ...     cell, dataset="digits", controls=["resnet"], to=["json"], out="larger",
    ...     set={"recipe.epochs": 1, "recipe.train_images": 100, "skeleton.filters": 4},
    ... )
    >>> [row.name for row in found.rows]
    ['searched', 'resnet']
    """
    wish = TransferWish(
        data=_data(settings),
        machine=_machine(settings),
        preset=preset,
        mode=mode,
        target_macs=target_macs,
        target_params=target_params,
        within=within,
        pretrain=pretrain,
        pretrain_size=pretrain_size,
        bodies=None if bodies is None else Path(bodies),
        open_cells=open_cells,
        pace=pace,
        controls=tuple(controls),
        cells=None if cells is None else Path(cells),
        seeds=tuple(_seeds(settings.get("seed", 0), seeds)),
        settings=_parts(settings, ("skeleton", "recipe", "pretrain")),
    )
    formats = formats_of(to)
    plan, arms = transfer_of(word_of(source), None if weights is None else Path(weights), wish)
    folder = Path(out) if out is not None else Path("transferred") / plan.name_of(arms)
    with plan.setting.place.opened(folder, _notices(progress)):
        return transfer_all(plan, arms, folder, _epochs(progress), formats)


def _seeds(first: int | str, count: int | str) -> range:
    start, many = _number("seed", first, 0), _number("seeds", count, 1)
    return range(start, start + many)


def _number(name: str, value: int | str, least: int) -> int:
    """A whole number, which may be a text as on the command line."""
    try:
        number = int(value) if isinstance(value, str) else operator.index(value)
    except (TypeError, ValueError):
        raise SettingsError(
            f"{name} is {shortened(value)}: expected a whole number of {least} or more"
        ) from None
    if number < least:
        raise SettingsError(f"{name} is {number}: expected {least} or more")
    return number


def _data(settings: Mapping[str, Any]) -> DataWish:
    known = (*_OF_DATA, *_OF_MACHINE, *_OTHERS)
    for name in settings:
        if name not in known:
            raise SettingsError(known_names(name, known, "setting of a training"))
    given = {name: settings[name] for name in _OF_DATA if name in settings}
    place = given.get("data_dir")
    return DataWish(**{**given, "data_dir": None if place is None else Path(place)})


def _machine(settings: Mapping[str, Any]) -> Machine:
    return Machine(**{name: settings[name] for name in _OF_MACHINE if name in settings})


def _parts(settings: Mapping[str, Any], known: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """What was set of each part."""
    given: dict[str, Any] = tree_of_keywords({"set": settings.get("set", {})})
    for part in given:
        if part not in known:
            raise SettingsError(known_names(part, known, "part to set here"))
    return given


def _epochs(progress: bool | None) -> Callable[[str, int, int, Metrics], None]:
    """Shows each epoch in a line that is written over itself; where nobody looks, nothing."""
    wanted = is_watched() if progress is None else progress
    line = ShownLine()

    def show(name: str, seed: int, epoch: int, metrics: Metrics) -> None:
        if wanted:
            accuracy = metrics["val_accuracy"]
            line.write(f"{name}, seed {seed}, epoch {epoch}: validation {accuracy:.4f}")

    return show


def _notices(progress: bool | None) -> Callable[[str], None]:
    """Says what a place is about to do, where somebody looks."""
    wanted = is_watched() if progress is None else progress

    def say(text: str) -> None:
        if wanted:
            sys.stderr.write(f"trainings: {text}\n")

    return say
