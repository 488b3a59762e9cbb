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
        print(f"stopped now; continue with `{same_command()}`", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, old)
