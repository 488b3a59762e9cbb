"""The files of a supernet: supernet.json says what it is, beside it lie its weights."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nas.errors import SettingsError, shortened
from nas.study.store import WEIGHTS_FILE
from search_spaces.cells.skeleton import Skeleton
from search_spaces.cells.space import SearchSpace

if TYPE_CHECKING:
    from nas.training.shared_weights import SharedWeights

FORMAT: Final = 1
RECORD: Final = "supernet.json"


def without_noise(skeleton: Skeleton) -> Skeleton:
    """The skeleton of children that share weights: nothing is dropped, no auxiliary head."""
    return dataclasses.replace(
        skeleton, drop_path_keep=1.0, drop_path_steps=0, dropout_keep=1.0, auxiliary=False
    )


def record_of(folder: Path, space: SearchSpace | None = None) -> dict[str, Any]:
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
    if space is not None and fingerprint != space.fingerprint:
        raise SettingsError(
            f"{folder} is a supernet of another space ({record['space']['name']}) than "
            f"{space.name!r} with these options: make one of its own"
        )
    return record


def weights_of(folder: Path, record: Mapping[str, Any]) -> SharedWeights:
    """The weights, if they are what the record names."""
    from nas.training.checkpoint import read_weights
    from nas.training.shared_weights import SharedWeights

    if digest_of(folder / WEIGHTS_FILE) != record["weights"]:
        raise SettingsError(
            f"{folder / WEIGHTS_FILE} is not what {RECORD} names: restore it from a copy, or make "
            "the supernet again"
        )
    tensors, _ = read_weights(folder / WEIGHTS_FILE)
    return SharedWeights(record["seed"], tensors)


def digest_of(file: Path) -> str:
    """What the record names them by."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    except OSError as problem:
        raise SettingsError(f"{file} cannot be read: {problem.strerror}") from problem
