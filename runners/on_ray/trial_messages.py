"""What driver and worker say to each other through Tune's configurations and results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, final

from nas.contracts import Outcome, Trial

ORDER = "order"  # the one key of a configuration
MESSAGES = "messages"  # our one key of a result


@final
class TrialOrder:
    """A trial on its way to a worker, cheap to copy and to print, for Tune does both a lot with
    configurations."""

    __slots__ = ("trial",)

    def __init__(self, trial: Trial | None) -> None:
        self.trial = trial  # None when the trial has ended: Tune keeps every configuration for ever

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __repr__(self) -> str:
        return "trial" if self.trial is None else f"trial {self.trial.number}"


@dataclass(frozen=True, slots=True)
class Progressed:
    """One step of a learning curve."""

    step: int
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """The outcome; `files` is a reference to what the trial left in `keep/`, in Ray's object
    store."""

    outcome: Outcome
    files: Any = None


@dataclass(frozen=True, slots=True)
class Raised:
    """What the user must mend before any trial can succeed."""

    problem: Exception


Message = Progressed | Ended | Raised
