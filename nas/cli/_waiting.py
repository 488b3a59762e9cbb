"""What is said while something takes long: durations in words, and a sign of life every ten
seconds."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Self, final

_QUIET_SECONDS = 10.0


def duration(seconds: float) -> str:
    """So many seconds as a person says them: `0.42 s`, `12 s`, `14 min`, `5.2 h`."""
    for least, unit, length in ((5400, "h", 3600), (90, "min", 60), (0, "s", 1)):
        if seconds >= least:
            value = seconds / length
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.2g} {unit}"
    return "0 s"


def durations(least: float, most: float) -> str:
    """A range of them."""
    low, high = duration(least), duration(most)
    if low == high:
        return f"about {low}"
    return f"{low.removesuffix(high[high.index(' ') :])} to {high}"


@final
class SignOfLife:
    """Says something on the error stream wherever nothing was said for ten seconds."""

    def __init__(
        self, words: Callable[[float], str | None], quiet_seconds: float = _QUIET_SECONDS
    ) -> None:
        self._words = words
        self._quiet_seconds = quiet_seconds
        self._heard = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def hear(self) -> None:
        """Something was said just now."""
        self._heard = time.monotonic()

    def __enter__(self) -> Self:
        self.hear()
        # The thread hears no signals: the main thread does, and at times, as while a worker process
        # starts, it makes them wait.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        self._thread.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        spoken = self._heard
        while not self._ended.wait(self._quiet_seconds / 10):
            now = time.monotonic()
            if now - max(self._heard, spoken) < self._quiet_seconds:
                continue
            spoken = now
            words = self._words(now - self._heard)
            if words is not None:
                print(words, file=sys.stderr, flush=True)
