"""Results that came before their turn: a deterministic study writes them to its log in the order of
its trials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from nas.contracts import Failure, Outcome
from nas.study.attempt import plain
from nas.study.events import end_event, outcome_of
from nas.study.files import write_whole
from nas.study.ledger import OpenTrial


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
    """Holds back what was heard of trials until it is their turn; an ended one is safe on disk
    (`pending/<n>.json`)."""

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
