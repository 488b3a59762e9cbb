"""What retrain and transfer share: a folder that belongs to one set of settings, and a test split
that is read once for the same weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import nn

from nas.contracts import Json
from nas.errors import NasError
from nas.exporting.choosing import Choice
from nas.exporting.source.python_file import names_in_file
from nas.exporting.subject import Subject, fresh_network, without_results
from nas.exporting.weights import load_into, open_weights
from nas.full_size.trainings import Setting, Trained
from nas.study.store import write_whole
from nas.training.datasets._resized import at_size
from nas.training.final_split import FinalSplit
from nas.training.judging import Judgement, judged
from search_spaces.cells.skeleton import Skeleton


def judged_once(
    file: Path,
    *,
    belongs: Callable[[Mapping[str, Any]], bool],
    tests: Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]]],
    networks: Sequence[Callable[[], nn.Module]],
    setting: Setting,
    sizes: Sequence[int] | None = None,
) -> tuple[Judgement, ...]:
    """What the test split says of each network; what was read once for the same weights is not
    read again.

    Args:
        file: the record of an earlier judgement, if there is one.
        belongs: whether a record is about these very weights.
        tests: the judgements in a record, in the order of the networks.
        networks: make one at a time, so that they do not fill the memory together.
        sizes: of the pictures that each of them sees; None is that of the dataset.
    """
    known = read_object(file) or {}
    if belongs(known):
        with suppress(KeyError, TypeError):  # not as we wrote it
            return tuple(Judgement(**test) for test in tests(known))

    images = FinalSplit(setting.dataset).load()
    device = setting.computation.torch_device
    seen = sizes or [setting.dataset.image_size] * len(networks)
    return tuple(
        judged(make().to(device), at_size(images, size), setting.dataset, setting.computation)
        for make, size in zip(networks, seen, strict=True)
    )


def subject_of_training(
    choice: Choice, skeleton: Skeleton, run: Trained, setting: Setting
) -> Subject:
    """The network of one seed with its weights, and what is known of them."""
    weights = open_weights(run.file)
    network = fresh_network(choice.genotype, skeleton)
    facts = weights.facts.items()
    subject = Subject(
        title=choice.title,
        genotype=choice.genotype,
        skeleton=network.skeleton,
        network=network,
        origin={**without_results(choice.origin), "seed": run.seed},
        trained={name: value for name, value in facts if name not in ("genotype", "skeleton")},
        classes=tuple(setting.dataset.labels["classes"]),
        mean=setting.dataset.mean,
        std=setting.dataset.std,
    )
    load_into(weights, network, names_in_file(subject))
    return subject


def claim(folder: Path, name: str, identity: Mapping[str, Json]) -> None:
    """Begin in this folder, or continue what was begun in it with the same settings, which the file
    `name` holds."""
    refuse_other_settings(folder, name, identity)
    if not (folder / name).exists():
        write_whole(folder / name, json.dumps(identity, indent=2) + "\n")


def refuse_other_settings(folder: Path, name: str, identity: Mapping[str, Json]) -> None:
    """Refuse a folder in which something else was begun, or that holds something else."""
    from nas.search.plan import differences

    file = folder / name
    if file.exists():
        there = read_object(file)
        if there is None:
            raise NasError(
                f"{file} holds no settings of a run; restore it, or choose another folder with "
                "--out"
            )
        changes = differences(there, identity)
        if changes:
            raise NasError(
                f"{folder} was begun with other settings ({'; '.join(changes)[:300]}); choose "
                "another with --out"
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NasError(
            f"{folder} is not empty and was not begun by this command; choose another with --out"
        )


def read_object(file: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is none that can be read, say after a power
    cut."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
