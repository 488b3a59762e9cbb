"""What the workers of a training tell their driver, and the mailbox that keeps their messages.

The mailbox is a process that must be there first, so it imports next to nothing: tensors pass
through it as bytes.
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


Message = Progressed | Ended | Raised


@final
class Mailbox:
    """A process beside the driver that outlives workers and keeps their messages until the driver
    takes them."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._checkpoints: dict[int, bytes | None] = {}  # of the trainings that have not ended

    def begin(self, number: int, checkpoint: bytes | None) -> None:
        """A training begins, or continues from here."""
        self._checkpoints[number] = checkpoint

    def resume(self, number: int) -> tuple[bool, bytes | None]:
        """Whether a training is still to be done, and from where."""
        return number in self._checkpoints, self._checkpoints.get(number)

    def post(self, message: Message) -> None:
        """Called by workers."""
        if message.number not in self._checkpoints:
            return  # it has ended already
        if not isinstance(message, Progressed):
            del self._checkpoints[message.number]
        elif message.checkpoint is not None:
            self._checkpoints[message.number] = message.checkpoint
        self._messages.append(message)

    def take(self) -> list[Message]:
        """Called by the driver: everything new."""
        messages, self._messages = self._messages, []
        return messages
