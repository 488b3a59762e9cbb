"""The files of a study's trials: where they may write, and which of them stay.

What a trial leaves in `keep/` stays in `checkpoints/` as long as the trial is among the best.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from nas.errors import StoreError

WEIGHTS_FILE: Final = "weights.safetensors"  # of a trained network, wherever it lies


def checkpoint_of(study: Path, number: int) -> Path:
    """Where the kept files of a trial lie, as long as it is among the best."""
    return study / "checkpoints" / str(number)


@final
class TrialFiles:
    """The folders in which the trials of one study write, and what is kept of them."""

    def __init__(self, study: Path) -> None:
        self._study = study

    def workdir(self, number: int) -> Path:
        """The folder in which a trial may write."""
        return self._study / "work" / str(number)

    def keep(self, number: int, best: Collection[int]) -> None:
        """Move what a trial left in `keep/` to `checkpoints/` if it is among the best, and drop
        what no longer is."""
        work = self.workdir(number)
        if not work.is_dir():
            return
        kept = checkpoint_of(self._study, number)
        try:
            if number in best and (work / "keep").is_dir() and not kept.exists():
                kept.parent.mkdir(exist_ok=True)
                (work / "keep").rename(kept)
        except OSError as problem:
            raise StoreError(
                f"{kept} cannot be written: {problem.strerror}; make room and resume"
            ) from problem
        shutil.rmtree(work, ignore_errors=True)
        self._drop(best)

    def tidy(self, open_trials: Collection[int], best: Collection[int]) -> None:
        """Settle what a session left that was killed between a trial's end and its files."""
        for work in (self._study / "work").glob("*"):
            if work.name.isdecimal() and int(work.name) not in open_trials:
                self.keep(int(work.name), best)
        self._drop(best)

    def leave(self) -> None:
        """Remove the folder of all work if nothing is half done."""
        with suppress(OSError):
            (self._study / "work").rmdir()

    def _drop(self, best: Collection[int]) -> None:
        names = {str(number) for number in best}
        for old in (self._study / "checkpoints").glob("*"):
            if old.name.isdecimal() and old.name not in names:
                shutil.rmtree(old, ignore_errors=True)
