"""What watches the training of shared weights, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import final

_SECONDS_BETWEEN_WORDS = 10.0
_WARM, _EARLY = 4, 44  # steps between which a training is foreseen


@final
class ToldSteps:
    """Says now and then how far the training is."""

    def __init__(self, steps: int, notice: Callable[[str], None]) -> None:
        self._steps, self._notice = steps, notice
        self._last: float | None = None

    def __call__(self, step: int, loss: float) -> None:
        now = time.monotonic()
        if self._last is None:
            self._notice(
                f"{self._steps:,} steps come first; stopped, the same command goes on with them"
            )
        elif now - self._last < _SECONDS_BETWEEN_WORDS:
            return
        else:
            self._notice(f"step {step:,} of {self._steps:,}, loss {loss:.3f}")
        self._last = now


@final
class Foreseeing:
    """Foresees the seconds of a training from its first steps, to be compared with what came."""

    def __init__(self, steps: int, report: Callable[[int, float], None]) -> None:
        self._steps, self._report = steps, report
        self._last, self._began = -1, 0.0
        self.foreseen: float | None = None  # where it was whole, and not a few steps only

    def __call__(self, step: int, loss: float) -> None:
        if step == _WARM:
            self._began = time.monotonic()
        elif step == _EARLY and self._last == _EARLY - 1 and self._began:
            a_step = (time.monotonic() - self._began) / (_EARLY - _WARM)
            self.foreseen = round(self._steps * a_step, 3)
        self._last = step
        self._report(step, loss)
