"""How far a search is, as a line on the error stream: in a terminal and in a notebook."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any, final

from nas.search.run import OpenSearch
from nas.study.events import ENDS

_EVERY = 0.2


@final
class ProgressLine:
    """One line that is written over itself while trials end; where nobody looks, nothing."""

    def __init__(self, wanted: bool | None) -> None:
        self._wanted = is_watched() if wanted is None else wanted
        self._search: OpenSearch | None = None
        self._shown_at = 0.0
        self._line = ShownLine()

    def follow(self, search: OpenSearch) -> None:
        """From now on, tell of this search."""
        self._search = search

    def see(self, event: Mapping[str, Any]) -> None:
        """Called with every event: show something if it is time."""
        if not self._wanted:
            return
        if event["event"] == "notice":
            self._line.write(f"{event['about']}: {event['text']}", last=True)
        elif event["event"] in ENDS and time.monotonic() - self._shown_at >= _EVERY:
            self._shown_at = time.monotonic()
            self._line.write(self._words())

    def end(self) -> None:
        """Leave the line as it stands at the end."""
        if self._wanted and self._search is not None:
            self._line.write(self._words(), last=True)

    def _words(self) -> str:
        if self._search is None:
            return ""
        ledger = self._search.study.ledger
        of = f" of {ledger.budget.trials:,}" if ledger.budget.trials else ""
        words = f"{ledger.ended_trials:,}{of} trials"
        if covered := ledger.covered(self._search.plan.scales):
            return f"{words} · {covered}"
        best = ledger.best
        return words + (f" · best {best.score:.4f} (trial {best.trial.number})" if best else "")


@final
class ShownLine:
    """A line that is written over itself: on the error stream, in a notebook as one output."""

    def __init__(self) -> None:
        self._width = 0
        self._output: Any = None

    def write(self, words: str, *, last: bool = False) -> None:
        """Show these words in place of those before; the next ones stand below the last."""
        if _in_notebook():
            self._write_output(words, last)
            return
        end = "\n" if last else ""
        sys.stderr.write("\r" + words.ljust(self._width) + end)
        sys.stderr.flush()
        self._width = 0 if last else len(words)

    def _write_output(self, words: str, last: bool) -> None:
        shown = {"text/plain": words}
        if self._output is None:
            display = import_module("IPython.display").display
            self._output = display(shown, raw=True, display_id=True)
        else:
            self._output.update(shown, raw=True)
        if last:
            self._output = None


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules


def is_watched() -> bool:
    """Whether somebody looks: a terminal, or a notebook."""
    return sys.stderr.isatty() or _in_notebook()
