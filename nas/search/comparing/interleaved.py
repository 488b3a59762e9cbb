"""Many studies that a runner sees as one: their trials in turn, so that a drifting machine hits all
arms alike."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, final

from nas.contracts import Outcome, Trial
from nas.search.run import OpenSearch
from nas.study import Rules
from nas.study.study import Study, Watch

Searches = Generator[OpenSearch, None, None]


@final
class Interleaved:
    """What runners need of a study (`ask`, `tell`, `progress`, ...), answered by several in turn.

    Seeds are taken up one after another, each by all arms at once; the arm with the fewest trials
    under way and the fewest asked is next. With one trial under way per study, results do not
    depend on the number of workers.

    Args:
        folder: of the whole comparison.
        rows: for each seed, in order, the searches of every arm; opened when their turn comes.
        rules: of all studies.
        at_once: how many trials of one study may be under way.
        ended: called whenever an arm has nothing left to do with a seed.
    """

    def __init__(
        self,
        folder: Path,
        rows: Iterator[list[Searches]],
        rules: Rules,
        at_once: int,
        ended: Callable[[], None] = lambda: None,
        watch: Watch | None = None,
    ) -> None:
        self.folder = folder
        self.is_over = False  # nobody knows before the last study was asked
        self.stops_early = rules.early_stop != "none"
        self.stopping = False
        self._watch = watch
        self._rows = rows
        self._at_once = at_once
        self._ended = ended
        self._active: list[_Active] = []
        self._under_way: dict[int, tuple[_Active, int]] = {}
        self._number = 0

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray Tune pickles whatever knows a study; the studies stay here

    def ask(self) -> Trial | None:
        """The next trial of the study whose turn it is; None while nothing may start."""
        while not self.stopping and (active := self._next()) is not None:
            trial = active.search.study.ask()
            if trial is not None:
                return self._begin(active, trial)
            active.resting = True
            if not active.under_way:
                self._advance(active)
        return None

    def tell(self, number: int, outcome: Outcome) -> None:
        """Give a result to the study it belongs to."""
        active, own = self._under_way.pop(number)
        active.under_way -= 1
        active.resting = False
        active.search.study.tell(own, outcome)

    def progress(self, number: int, step: int, metrics: Mapping[str, Any]) -> bool:
        """Write down one step of a learning curve; False asks the trial to stop."""
        study, own = self._of(number)
        return study.progress(own, step, metrics)

    def workdir(self, number: int) -> Path:
        """The folder in which a trial may write."""
        study, own = self._of(number)
        return study.workdir(own)

    def stop(self) -> None:
        """Start nothing new; what runs may finish."""
        self.stopping = True

    def free(self, places: int) -> None:
        """Free places are filled from other studies, so none is charged for them."""

    def would_keep(self, score: float) -> bool:
        """Files travel back always: whose they are, only the number of the trial says."""
        del score
        return True

    def notice(self, text: str, about: str = "runner") -> None:
        """Tell whoever watches something that is no part of any log."""
        if self._watch is not None:
            self._watch({"event": "notice", "about": about, "text": text})

    def close(self) -> None:
        """Give all logs back; the same comparison can be continued."""
        for active in self._active:
            active.searches.close()
        self._active.clear()

    def _begin(self, active: _Active, trial: Trial) -> Trial:
        number = self._number
        self._number += 1
        self._under_way[number] = (active, trial.number)
        active.under_way += 1
        return replace(trial, number=number)

    def _of(self, number: int) -> tuple[Study, int]:
        active, own = self._under_way[number]
        return active.search.study, own

    def _next(self) -> _Active | None:
        """The study whose turn it is; takes up the next seed when all others are busy."""
        while True:
            free = [
                each for each in self._active if not each.resting and each.under_way < self._at_once
            ]
            if free:
                return min(free, key=_Active.turn)
            row = next(self._rows, None)
            if row is None:
                return None
            for searches in row:
                search = next(searches, None)
                if search is not None:
                    self._active.append(_Active(searches, search))

    def _advance(self, active: _Active) -> None:
        """Settle a study that is done and open what follows it."""
        search = next(active.searches, None)
        if search is None:
            self._active.remove(active)
            self._ended()
        else:
            active.search = search
            active.resting = False


@final
class _Active:
    """An open study, and what follows it."""

    def __init__(self, searches: Searches, search: OpenSearch) -> None:
        self.searches = searches
        self.search = search
        self.under_way = 0
        self.resting = False  # it had nothing to start when it was last asked

    def turn(self) -> tuple[int, int]:
        """Who has fewest comes first."""
        return self.under_way, self.search.study.ledger.counts["asked"]
