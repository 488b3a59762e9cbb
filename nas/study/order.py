"""The order of a deterministic study: results enter its log in the order of its trials.

How many proposals are ahead of results is fixed by `rules.lag`, not by how fast workers are, so any
number of workers writes the same log. A result that came before its turn waits on disk, in
`pending/<number>.json`, where a kill does not lose it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from nas.contracts import Failure, Outcome, Trial
from nas.study.attempt import plain
from nas.study.events import end_event, outcome_of
from nas.study.ledger import Ledger, OpenTrial
from nas.study.store import write_whole


@dataclass(frozen=True, slots=True)
class Steps:
    """What a study does when its order says so."""

    may_begin: Callable[[], bool]
    propose: Callable[[], Trial | None]
    announce: Callable[[int], None]
    progress: Callable[[int, int, Mapping[str, Any]], bool]
    end: Callable[[int, OpenTrial, Outcome], None]


@final
class InTurn:
    """Holds back what is heard of trials until it is their turn.

    Args:
        lag: how many proposals may be ahead of the trial that is to end next.
        retries: how often a failure is tried again.
    """

    def __init__(self, folder: Path, lag: int, retries: int, ledger: Ledger, steps: Steps) -> None:
        self._lag = lag
        self._retries = retries
        self._ledger = ledger
        self._steps = steps
        self._pending = Pending(folder)
        self._idle = _IdleTime()

    @property
    def idle_seconds(self) -> float:
        """Seconds of free places that waited for their turn."""
        return self._idle.seconds

    def free(self, places: int, *, stopping: bool) -> None:
        """Hear how many places are free from now on."""
        is_holding = not stopping and self._steps.may_begin()
        self._idle.free(places if is_holding else 0)

    def adopt(self, entry: OpenTrial) -> bool:
        """Take over the result that an earlier session left for this trial, if it left one."""
        return self._pending.adopt(entry)

    def progress(self, number: int, step: int, metrics: Mapping[str, Any]) -> None:
        """Hear one step of a learning curve."""
        self._pending.progress(self._ledger.open[number], step, metrics)

    def hear(self, entry: OpenTrial, outcome: Outcome) -> bool:
        """Hear how an attempt ended; False if the trial is to be tried again."""
        in_turn = entry.trial.number == self._turn
        return self._pending.end_attempt(entry, outcome, retries=self._retries, in_turn=in_turn)

    def advance(self, *, stopping: bool) -> None:
        """Bring the log forward: propose what is due, then end the trial whose turn it is, and so
        on.

        A study that is stopping proposes nothing, so what comes after the next proposal stays
        pending until it resumes.
        """
        while True:
            turn = self._turn
            if self._steps.may_begin() and self._ledger.next_number < turn + self._lag:
                if stopping:
                    return
                if (trial := self._steps.propose()) is not None:
                    self._steps.announce(trial.number)
            elif not self._end(turn):
                return

    @property
    def _turn(self) -> int:
        """The number of the trial that is to end next."""
        return next(iter(self._ledger.open), self._ledger.next_number)

    def _end(self, number: int) -> bool:
        """Write down all that was heard of a trial; False if it has not ended."""
        entry = self._ledger.open.get(number)
        attempts = self._pending.take(entry) if entry else []
        if entry is None or not attempts:
            return False

        for attempt in attempts:
            for step, metrics in attempt.progress[entry.steps :]:
                self._steps.progress(number, step, metrics)
            assert attempt.outcome is not None
            self._steps.end(number, entry, attempt.outcome)

        self._pending.forget(entry)
        return True


@final
class _IdleTime:
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


@dataclass(slots=True)
class Attempted:
    """What one attempt at a trial has said so far: its learning curve and, in the end, its
    outcome."""

    progress: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    outcome: Outcome | None = None


@dataclass(slots=True)
class _Heard:
    """The attempts at one trial since its log counted so many failures."""

    failures_before: int
    attempts: list[Attempted]


@final
class Pending:
    """What was heard of trials before their turn; an ended one is safe on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[int, _Heard] = {}
        self._ended: dict[int, _Heard] = {}

    def progress(self, entry: OpenTrial, step: int, metrics: Mapping[str, Any]) -> None:
        """Hear one step of a learning curve."""
        self._of(entry).attempts[-1].progress.append((step, plain(metrics)))

    def end_attempt(
        self, entry: OpenTrial, outcome: Outcome, *, retries: int, in_turn: bool
    ) -> bool:
        """Hear how an attempt ended; False if the trial is to be tried again.

        Args:
            in_turn: the log takes it at once, so that no file need keep it.
        """
        heard = self._of(entry)
        heard.attempts[-1].outcome = outcome
        if isinstance(outcome, Failure) and heard.failures_before + len(heard.attempts) <= retries:
            heard.attempts.append(Attempted())
            return False
        if not in_turn:
            write_whole(self._file(entry), json.dumps(_to_json(entry, heard)))
        number = entry.trial.number
        self._ended[number] = self._running.pop(number)
        return True

    def adopt(self, entry: OpenTrial) -> bool:
        """Take over the result that an earlier session left for this trial, if it left one."""
        heard = _read(self._file(entry), entry)
        if heard is not None:
            self._ended[entry.trial.number] = heard
        return heard is not None

    def take(self, entry: OpenTrial) -> list[Attempted]:
        """The attempts of a trial that has ended, but for those the log has; none if it has not
        ended."""
        heard = self._ended.pop(entry.trial.number, None)
        return heard.attempts[entry.failures - heard.failures_before :] if heard else []

    def forget(self, entry: OpenTrial) -> None:
        """Drop the file of a trial that the log has now."""
        self._file(entry).unlink(missing_ok=True)

    def _of(self, entry: OpenTrial) -> _Heard:
        return self._running.setdefault(entry.trial.number, _Heard(entry.failures, [Attempted()]))

    def _file(self, entry: OpenTrial) -> Path:
        return self._folder / f"{entry.trial.number}.json"


def _to_json(entry: OpenTrial, heard: _Heard) -> dict[str, Any]:
    number = entry.trial.number
    return {
        "number": number,
        "seed": entry.trial.seed,
        "key": entry.key,
        "failures_before": heard.failures_before,
        "attempts": [
            {"progress": attempt.progress, "outcome": end_event(number, attempt.outcome)}
            for attempt in heard.attempts
            if attempt.outcome is not None
        ],
    }


def _read(file: Path, entry: OpenTrial) -> _Heard | None:
    """What a file holds; None where there is no file, or one that speaks of something else."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if (content["number"], content["seed"], content["key"]) != (
            entry.trial.number,
            entry.trial.seed,
            entry.key,
        ):
            return None
        attempts = [
            Attempted(
                [(step, metrics) for step, metrics in attempt["progress"]],
                outcome_of(attempt["outcome"]),
            )
            for attempt in content["attempts"]
        ]
        return _Heard(content["failures_before"], attempts)
    except (OSError, ValueError, KeyError, TypeError):
        return None
