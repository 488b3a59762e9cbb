"""Evaluators for tests of runners; workers import them from here."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from nas.contracts import Evaluation, Evaluator, Report
from nas.errors import SettingsError
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace


class Worker(Evaluator):
    """Reports two steps, keeps a file, and does something drastic at the seeds it is told to.

    Args:
        acts: what to do, by the remainder of the seed divided by 3.
    """

    def __init__(
        self, space: SearchSpace, acts: Mapping[int, str] | None = None, seconds: float = 0.0
    ) -> None:
        super().__init__(space)
        self.acts, self.seconds = dict(acts or {}), seconds

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        act = self.acts.get(seed % 3)
        for step in (1, 2):
            time.sleep(self.seconds / 2)
            if not report(step, {"score": step / 2}):
                return Evaluation(step / 2)
        if act == "raise":
            raise ValueError("this seed does not work")
        if act == "refuse":
            raise SettingsError("there is no such file: give another")
        if act == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if act == "exit":
            os._exit(5)
        if act == "hang":
            time.sleep(600)
        (workdir / "keep").mkdir(parents=True)
        (workdir / "keep" / "seed").write_text(str(seed))
        return Evaluation(seed % 1000 / 1000, {"process": os.getpid()}, 0.5)


class SlowToStart(Worker):
    """Only its first process is ready at once; each trial leaves a line in `begun` when it
    begins."""

    def __init__(self, space: SearchSpace, folder: Path) -> None:
        super().__init__(space)
        self.folder = folder

    def take_shared(self, shared: object) -> None:
        try:
            (self.folder / "first").touch(exist_ok=False)
        except FileExistsError:
            time.sleep(2)

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        with (self.folder / "begun").open("a") as file:
            file.write(f"{seed}\n")
        return super().evaluate(genotype, seed=seed, workdir=workdir, report=report)


class Unsendable(Worker):
    """Holds something open."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space)
        self.lock = threading.Lock()


class Unloadable(Worker):
    """Cannot be made again in another process."""

    def __reduce__(self) -> tuple[object, ...]:
        return _refuse_to_load, ()


def _refuse_to_load() -> None:
    raise ImportError("only here")
