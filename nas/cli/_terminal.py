"""The one place through which verbs write: names of folders, classes and files cannot steer a
terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast, final

# Controls but for tab and line end, marks that turn the direction of text, ends of lines that only
# some programs see, and bytes of file names that are no UTF-8.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff]"
)


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
