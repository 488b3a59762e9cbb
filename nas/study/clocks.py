"""Two clocks of a study: what its strategy spends on thinking, and what a fixed order makes free
places wait."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final


@final
class Stopwatch:
    """Adds up seconds while it runs."""

    def __init__(self) -> None:
        self._seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what happens inside."""
        began = time.perf_counter()
        yield
        self._seconds += time.perf_counter() - began

    def taken(self) -> float:
        """What was counted since the last call."""
        seconds, self._seconds = self._seconds, 0.0
        return round(seconds, 6)


@final
class IdleTime:
    """Adds up the seconds of places that could work but wait; between two calls of `free` their
    number stands."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._places, self._since = 0, time.monotonic()

    def free(self, places: int) -> None:
        """From now on so many places wait."""
        now = time.monotonic()
        self.seconds += self._places * (now - self._since)
        self._places, self._since = places, now
