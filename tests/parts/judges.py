"""Evaluators for tests of runners; workers import them from here."""

from __future__ import annotations

import threading

from nas.testing.runner_promises import ScriptedEvaluator
from search_spaces.cells.space import SearchSpace


class Unsendable(ScriptedEvaluator):
    """Holds something open."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space)
        self.lock = threading.Lock()


class Unloadable(ScriptedEvaluator):
    """Cannot be made again in another process."""

    def __reduce__(self) -> tuple[object, ...]:
        return _refuse_to_load, ()


def _refuse_to_load() -> None:
    raise ImportError("only here")
