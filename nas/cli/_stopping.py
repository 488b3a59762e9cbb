"""How a verb ends that is stopped: exit code 3, and the command that goes on."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from nas.errors import shell_word

INTERRUPTED = 3


def same_command() -> str:
    """The command of this process, as it must be typed again."""
    return " ".join(["nas", *map(shell_word, sys.argv[1:])])


def stopped_now(again: str) -> typer.Exit:
    """Say with which command it goes on; the end of the verb, to be raised."""
    print(f"stopped now; continue with `{again}`", file=sys.stderr)
    return typer.Exit(INTERRUPTED)


@contextmanager
def stoppable() -> Iterator[None]:
    """Ctrl-C and SIGTERM end a verb at once, with the line that goes on with what it has kept."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        raise stopped_now(same_command()) from None
    finally:
        signal.signal(signal.SIGTERM, old)
