"""How every verb behaves: it reads its words, writes lines that cannot steer a terminal, gives a
sign of life while something takes long, and says how to go on where it was stopped."""

from __future__ import annotations

import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, Self, TextIO, cast, final

import typer
from typer.core import TyperCommand

from nas.errors import NasError, shell_word, shortened

INTERRUPTED: Final = 3  # the exit code

_QUIET_SECONDS = 10.0
# Controls but for tab and line end, marks that turn the direction of text, ends of lines that only
# some programs see, and bytes of file names that are no UTF-8.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff]"
)


@final
class Verb(TyperCommand):
    """A command; choices that begin with a minus are told apart from options that do not exist."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb, so that it can be stopped and gone on with."""
        with harmless_streams(), stoppable():
            return super().invoke(ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Read the words. The context is of typer's own click, or of click."""
        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except Exception as problem:  # NoSuchOption, likewise
            unknown = str(getattr(problem, "option_name", ""))
            word = next((word for word in words if word.startswith(unknown)), unknown)
            if not unknown[1:2].isdigit():
                raise
            others = " ".join(shell_word(other) for other in words if other != word)
            raise NasError(
                f"{shortened(word)} begins with a minus and was taken for an option; put it "
                "behind -- if it is none: "
                f"{ctx.command_path} {others}{' ' if others else ''}-- {shell_word(word)}"
            ) from problem


# ------------------------------------------------------------------ how it ends


def same_command() -> str:
    """The command of this process, as it must be typed again."""
    return " ".join(["nas", *map(shell_word, sys.argv[1:])])


def nas_here() -> str:
    """How a next command begins: with the file of the user's own parts, where this one had it."""
    before = sys.argv[1 : _verb_at(sys.argv)]
    return " ".join(["nas", *map(shell_word, before)])


def _verb_at(words: list[str]) -> int:
    """Where the verb stands, behind the options of all verbs."""
    at = 1
    while at < len(words) and words[at].startswith("--import"):
        at += 1 if "=" in words[at] else 2
    return at


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


# ------------------------------------------------------------------ what it writes


def harmless(text: str) -> str:
    """The text with every character that steers a terminal spelled out."""
    return _STEERING.sub(_spelled, text)


def drawn(stream: TextIO) -> TextIO:
    """The stream behind, for what we draw ourselves: colours, and lines written over."""
    found: Any = stream
    return cast(TextIO, found.behind if isinstance(found, _Harmless) else found)


@contextmanager
def harmless_streams() -> Iterator[None]:
    """Whatever is printed inside steers nothing."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, _Harmless(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


@final
class _Harmless:
    """A stream that spells out what would steer; in everything else it is the one behind."""

    def __init__(self, behind: TextIO) -> None:
        self.behind = behind

    def write(self, text: str) -> int:
        return self.behind.write(harmless(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)


def _spelled(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x20 else f"\\u{code:04x}"


# ------------------------------------------------------------------ how it waits


def duration(seconds: float) -> str:
    """So many seconds as a person says them: `0.42 s`, `12 s`, `14 min`, `5.2 h`."""
    for least, unit, length in ((5400, "h", 3600), (90, "min", 60), (0, "s", 1)):
        if seconds >= least:
            value = seconds / length
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.2g} {unit}"
    return "0 s"


def durations(least: float, most: float) -> str:
    """A range of them."""
    low, high = duration(least), duration(most)
    if low == high:
        return f"about {low}"
    return f"{low.removesuffix(high[high.index(' ') :])} to {high}"


@final
class SignOfLife:
    """Says something on the error stream wherever nothing was said for ten seconds."""

    def __init__(
        self, words: Callable[[float], str | None], quiet_seconds: float = _QUIET_SECONDS
    ) -> None:
        self._words = words
        self._quiet_seconds = quiet_seconds
        self._heard = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def hear(self) -> None:
        """Something was said just now."""
        self._heard = time.monotonic()

    def __enter__(self) -> Self:
        self.hear()
        # The thread hears no signals: the main thread does, and at times, as while a worker process
        # starts, it makes them wait.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        self._thread.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        spoken = self._heard
        while not self._ended.wait(self._quiet_seconds / 10):
            now = time.monotonic()
            if now - max(self._heard, spoken) < self._quiet_seconds:
                continue
            spoken = now
            words = self._words(now - self._heard)
            if words is not None:
                print(words, file=sys.stderr, flush=True)
