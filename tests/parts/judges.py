"""Evaluators for tests of runners; workers import them from here."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nas.contracts import Evaluation, Json, Report
from nas.testing.runner_promises import ScriptedEvaluator
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace


class OnGpu(ScriptedEvaluator):
    """Says that it trains on a GPU, and which ones its process sees."""

    def __init__(self, space: SearchSpace, device: str) -> None:
        super().__init__(space, seconds=0.1)
        self.device = device

    def settle(self, known: Sequence[Mapping[str, Json]] = ()) -> Mapping[str, Json]:
        return {"hardware": "a pretended GPU", "device": self.device}

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        found = super().evaluate(genotype, seed=seed, workdir=workdir, report=report)
        return replace(found, metrics={"sees": os.environ.get("CUDA_VISIBLE_DEVICES")})


class Unsendable(ScriptedEvaluator):
    """Holds something open."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space)
        self.lock = threading.Lock()


class Unloadable(ScriptedEvaluator):
    """Cannot be made again in another process."""

    def __reduce__(self) -> tuple[object, ...]:
        return _refuse_to_load, ()


class Impatient(ScriptedEvaluator):
    """Its user presses Ctrl-C just while it is sent to a worker process."""

    def __reduce__(self) -> str | tuple[object, ...]:
        os.kill(os.getpid(), signal.SIGINT)
        return super().__reduce__()


def _refuse_to_load() -> None:
    raise ImportError("only here")
