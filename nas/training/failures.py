"""The ways in which training comes to nothing; `failure_kind` is the word that the log uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch

from nas.contracts import FailureKind


class TrainingFailure(Exception):
    """Training that came to nothing for a reason the log has a word for."""

    failure_kind: ClassVar[FailureKind] = "error"


class Diverged(TrainingFailure):
    """The loss is no longer a finite number."""

    failure_kind = "diverged"


class OutOfMemory(TrainingFailure):
    """The network and its batch do not fit the device."""

    failure_kind = "out_of_memory"


_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


@contextmanager
def memory_watched() -> Iterator[None]:
    """Turn every way in which torch says that memory ran out into `OutOfMemory`."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as problem:
        raise OutOfMemory(_first_line(problem)) from problem
    except RuntimeError as problem:
        if any(sign in str(problem).lower() for sign in _SIGNS):
            raise OutOfMemory(_first_line(problem)) from problem
        raise


def _first_line(problem: BaseException) -> str:
    return (str(problem) or type(problem).__name__).splitlines()[0][:300]
