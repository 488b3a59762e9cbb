"""What workers of a training and their driver say to each other, and the desk that keeps it between
them.

The desk is a process that must be there first, so it imports next to nothing: tensors pass over it
as bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

Metrics = dict[str, float]


@dataclass(frozen=True, slots=True)
class Progressed:
    """An epoch is over; `checkpoint` is the half-finished training where it was just kept."""

    number: int
    epoch: int
    metrics: Metrics
    checkpoint: bytes | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The network has been trained; `weights` is a file of safetensors."""

    number: int
    curve: list[Metrics]
    weights: bytes


@dataclass(frozen=True, slots=True)
class Raised:
    """It came to nothing, and would again."""

    number: int
    problem: Exception


Word = Progressed | Ended | Raised


@final
class Desk:
    """Stands beside the driver, outlives workers, and keeps what they say until the driver asks."""

    def __init__(self) -> None:
        self._words: list[Word] = []
        self._checkpoints: dict[int, bytes | None] = {}  # of the lessons that have not ended

    def begin(self, number: int, checkpoint: bytes | None) -> None:
        """A lesson begins, or continues from here."""
        self._checkpoints[number] = checkpoint

    def resume(self, number: int) -> tuple[bool, bytes | None]:
        """Whether a lesson is still to be learnt, and from where."""
        return number in self._checkpoints, self._checkpoints.get(number)

    def say(self, word: Word) -> None:
        """Called by workers."""
        if word.number not in self._checkpoints:
            return  # it has ended already
        if not isinstance(word, Progressed):
            del self._checkpoints[word.number]
        elif word.checkpoint is not None:
            self._checkpoints[word.number] = word.checkpoint
        self._words.append(word)

    def take(self) -> list[Word]:
        """Called by the driver: everything new."""
        words, self._words = self._words, []
        return words
