"""The files that trials leave in `keep/`: those of the best trials stay with the study, in
`checkpoints/`."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from nas.errors import StoreError

WEIGHTS_FILE = "weights.safetensors"  # of a trained network, wherever it lies


def checkpoint_of(study: Path, number: int) -> Path:
    """Where the kept files of a trial lie, as long as it is among the best."""
    return study / "checkpoints" / str(number)


def keep_files(study: Path, work: Path, best: Collection[int]) -> None:
    """Move what a trial left in `keep/` to `checkpoints/` if it is among the best, and drop what no
    longer is."""
    if not work.is_dir():
        return
    kept = checkpoint_of(study, int(work.name))
    try:
        if int(work.name) in best and (work / "keep").is_dir() and not kept.exists():
            kept.parent.mkdir(exist_ok=True)
            (work / "keep").rename(kept)
    except OSError as problem:
        raise StoreError(
            f"{kept} cannot be written: {problem.strerror}; make room and resume"
        ) from problem
    shutil.rmtree(work, ignore_errors=True)
    drop_files(study, best)


def drop_files(study: Path, best: Collection[int]) -> None:
    """Drop the files of trials that are not among the best."""
    names = {str(number) for number in best}
    for old in (study / "checkpoints").glob("*"):
        if old.name.isdecimal() and old.name not in names:
            shutil.rmtree(old, ignore_errors=True)
