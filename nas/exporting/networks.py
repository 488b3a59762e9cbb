"""Networks for Python: build one, export one, ask one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.errors import NasError, SettingsError, known_names
from nas.exporting.choosing import (
    Choice,
    Source,
    around_choice,
    choices,
    front_choices,
    subject_of,
    word_of,
)
from nas.exporting.export import Exported
from nas.exporting.export import export as export_subject
from nas.exporting.known import formats_of, usual_formats
from nas.exporting.predicting import Prediction, predictions
from nas.search.keywords import tree_of_keywords
from nas.seeding import torch_rng
from nas.study.places import is_searched, place_of
from search_spaces.cells.network import build_network

if TYPE_CHECKING:
    from torch import nn


def build(
    source: Source, skeleton: str | None = None, *, seed: int = 0, **settings: Any
) -> nn.Module:
    """A network, ready to be trained, with random weights.

    Args:
        source: a published cell, a genotype in any form, a study or its folder (its best).
        skeleton: what surrounds the cells: cifar, imagenet-mobile, ...; None is the usual one, for
            pictures as those that a study trained on.
        settings: of the skeleton, as `classes=100`.

    >>> import nas
    >>> network = nas.build("nasnet-a", skeleton="imagenet-mobile")
    >>> sum(weight.numel() for weight in network.parameters())
    5289978
    """
    choice = _choice(source, with_weights=False)
    if not choice.genotype.cells:
        raise NasError(
            f"a genotype of space {choice.genotype.space!r} has choices and no cells: no network "
            "to build"
        )
    around = around_choice(choice, skeleton, settings)
    return build_network(choice.genotype, around, torch_rng(seed, "build"))


def export(
    source: Source,
    *,
    to: str | Sequence[str] | None = None,
    out: str | Path | None = None,
    weights: str | Path | None = None,
    skeleton: str | None = None,
    latency: bool = False,
    set: Mapping[str, Any] | Sequence[str] | None = None,
) -> Exported:
    """Export a network as files that run without this toolkit, each verified.

    Args:
        source: a study or its folder, an exported folder, weights, or a genotype in any form.
        to: formats, as a list or as after `--to`; None is all that can be written here.
        out: the folder; None is `best/` of a study, else `exports/NAME`.
        set: settings of the skeleton, as `{"classes": 100}` or `{"skeleton.classes": 100}`.

    >>> import nas
    >>> exported = nas.export("darts-v2", to=["json", "svg"], out="drawn")
    >>> sorted(file.name for file in exported.folder.iterdir())[:2]
    ['README.md', 'cells.svg']
    """
    choice = _choice(source, weights)
    subject = subject_of(choice, skeleton, _of_skeleton(set or {}))
    folder = _folder(word_of(source), choice, out)
    return export_subject(subject, folder, _formats(to), latency=latency)


def export_front(
    study: str | Path, *, to: str | Sequence[str] | None = None, out: str | Path | None = None
) -> list[Exported]:
    """Export all on the front of a study with several objectives, each to a folder of its own.

    Args:
        out: the folder of these; None is `best/front/` of the study.
    """
    formats = _formats(to)
    place = None if out is None else Path(out)
    return [
        export_subject(subject_of(choice), front_folder(str(study), choice, place), formats)
        for choice in front_choices(str(study))
    ]


def front_folder(study: str, choice: Choice, out: Path | None) -> Path:
    """Where one of a front goes: beside its genotype, if nobody says so."""
    from nas.search.record import FRONT

    base = out or Path(study) / "best" / FRONT
    return base / f"trial-{choice.origin['trial']}"


def predict(
    source: Source,
    pictures: str | Path | Sequence[str | Path],
    *,
    top: int = 5,
    weights: str | Path | None = None,
) -> list[Prediction]:
    """The likeliest classes of each picture, or of one, the likeliest first; of a folder, of all
    pictures below it.

    >>> import nas
    >>> try:
    ...     nas.predict("nasnet-a", ["photo.jpg"])
    ... except nas.NasError as problem:
    ...     print(str(problem).partition(";")[0])
    these weights are random, so nothing can be predicted
    """
    subject = subject_of(_choice(source, weights))
    places = [pictures] if isinstance(pictures, str | Path) else pictures
    return predictions(subject, [Path(picture) for picture in places], top)


def _choice(
    source: Source, weights: str | Path | None = None, *, with_weights: bool = True
) -> Choice:
    file = None if weights is None else Path(weights)
    return choices(word_of(source), weights=file, with_weights=with_weights)[0]


def _formats(to: str | Sequence[str] | None) -> tuple[str, ...]:
    formats = formats_of(to)
    return usual_formats() if formats is None else tuple(formats)


def _of_skeleton(given: Mapping[str, Any] | Sequence[str]) -> Mapping[str, Any]:
    """Settings of the skeleton, by their own names or by those of the command line."""
    if isinstance(given, Mapping):
        given = {
            name if "." in name or name == "skeleton" else f"skeleton.{name}": value
            for name, value in given.items()
        }
    parts = tree_of_keywords({"set": given})
    for part in parts:
        if part != "skeleton":
            raise SettingsError(known_names(part, ("skeleton",), "part to set here"))
    settings: Mapping[str, Any] = parts.get("skeleton", {})
    return settings


def _folder(word: str, choice: Choice, out: str | Path | None) -> Path:
    """Where an export goes if nobody says so."""
    if out is not None:
        return Path(out)
    place = place_of(word)
    return place / "best" if is_searched(place) else Path("exports") / choice.name
