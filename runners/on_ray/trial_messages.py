"""What driver and worker say to each other through Tune's results, and how a place is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas.contracts import Outcome

LEFT_OUT = "left_out"  # the one key of a configuration: nodes on which the process may not be
MESSAGES = "messages"  # our one key of a result


@dataclass(frozen=True, slots=True)
class Began:
    """The first word of a process: where it is, and what was settled there."""

    node: str
    settled: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unfit:
    """The only word of a process that cannot take trials.

    Args:
        lacks: the node lacks something, as an error in a sentence says.
    """

    node: str
    why: str
    lacks: bool


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


Message = Began | Unfit | Progressed | Ended | Raised
