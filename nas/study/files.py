"""The files of a study: written whole or not at all, and kept only of the best trials.

What a trial leaves in `keep/` stays in `checkpoints/` as long as the trial is among the best.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from nas.errors import StoreError, StudyError

WORK: Final = "work"  # the folder in which trials write, each in one of its own number
# Weights that all children share: in the folder of the study, or of the comparison, that made them.
SUPERNET: Final = "supernet"
WEIGHTS_FILE: Final = "weights.safetensors"  # of a trained network, wherever it lies


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8: a draft first, synced, then renamed into place."""
    draft = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as problem:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise StudyError(f"{path} cannot be written: {problem.strerror}") from problem


def checkpoint_of(study: Path, number: int) -> Path:
    """Where the kept files of a trial lie, as long as it is among the best."""
    return study / "checkpoints" / str(number)


def keep_files(study: Path, number: int, best: Collection[int]) -> None:
    """Move what a trial left in `keep/` to `checkpoints/` if it is among the best, and drop what
    no longer is."""
    work, kept = study / WORK / str(number), checkpoint_of(study, number)
    try:
        if number in best and (work / "keep").is_dir() and not kept.exists():
            kept.parent.mkdir(exist_ok=True)
            (work / "keep").rename(kept)
    except OSError as problem:
        raise StoreError(
            f"{kept} cannot be written: {problem.strerror}; make room and resume"
        ) from problem

    shutil.rmtree(work, ignore_errors=True)
    _drop_checkpoints(study, best)


def tidy_files(study: Path, open_trials: Collection[int], best: Collection[int]) -> None:
    """Settle what a session left that was killed between a trial's end and its files."""
    for work in (study / WORK).glob("*"):
        if work.name.isdecimal() and int(work.name) not in open_trials:
            keep_files(study, int(work.name), best)
    _drop_checkpoints(study, best)


def _drop_checkpoints(study: Path, best: Collection[int]) -> None:
    names = {str(number) for number in best}
    for old in (study / "checkpoints").glob("*"):
        if old.name.isdecimal() and old.name not in names:
            shutil.rmtree(old, ignore_errors=True)
