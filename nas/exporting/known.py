"""Which formats there are, by what the file of each says of itself: `NEEDS` names the packages it
is written with, `CARRIES_WEIGHTS` that it holds the trained network, `WITHIN_SECONDS` that a search
may write it by itself at its end, `WHEN_NAMED` that it is written only where it was asked for by
name, `NEEDS_DATA` that it looks at what the network was trained on. All may be left out."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from nas.registry import allow, is_outside, load, names, resolve


@dataclass(frozen=True, slots=True)
class Format:
    """A format as its file describes it.

    Args:
        word: the shortest name that is understood.
    """

    word: str
    needs: tuple[str, ...]
    carries_weights: bool
    within_seconds: bool
    when_named: bool
    needs_data: bool

    @property
    def installed(self) -> bool:
        """Whether the packages that it needs are here."""
        return all(importlib.util.find_spec(package) for package in self.needs)


def format_words() -> tuple[str, ...]:
    """The shortest names of all formats; nothing is imported."""
    return tuple(_word(name, names("exporter")) for name in names("exporter"))


def formats() -> list[Format]:
    """All formats: those that need nothing first, networks before drawings."""
    found = [_described(name) for name in names("exporter")]
    return sorted(found, key=lambda each: (bool(each.needs), not each.carries_weights, each.word))


def usual_formats() -> tuple[str, ...]:
    """The formats that the packages installed here can write."""
    usual = (each for each in formats() if each.installed and not each.when_named)
    return tuple(each.word for each in usual)


def quick_formats() -> tuple[str, ...]:
    """The formats a search leaves behind: those written within seconds by the packages installed
    here."""
    return tuple(each.word for each in formats() if each.within_seconds and each.installed)


def plainer_formats(words: Sequence[str]) -> list[str]:
    """Those of these formats that need nothing but torch; where all do, those that hold the
    network, for a drawing may be what fails."""
    plain = [word for word in words if not _described(resolve("exporter", word)).needs]
    if len(plain) < len(words):
        return plain
    return [word for word in plain if _described(resolve("exporter", word)).carries_weights]


def formats_of(to: str | Sequence[str] | None) -> list[str] | None:
    """The formats of `--to`, or of a list: None is all that can be written, `none` is none. Refused
    before the work, not after."""
    if to is None:
        return None
    given = [] if to == "none" else to.split(",") if isinstance(to, str) else to
    words = [word.strip() for word in given if word.strip()]
    allow(*words)
    for word in words:
        if is_outside("exporter", word):
            load("exporter", word)
        resolve("exporter", word)
    return words


def _described(name: str) -> Format:
    module = sys.modules[load("exporter", name).__module__]
    return Format(
        _word(name, names("exporter")),
        tuple(getattr(module, "NEEDS", ())),
        bool(getattr(module, "CARRIES_WEIGHTS", False)),
        bool(getattr(module, "WITHIN_SECONDS", False)),
        bool(getattr(module, "WHEN_NAMED", False)),
        bool(getattr(module, "NEEDS_DATA", False)),
    )


def _word(name: str, known: Sequence[str]) -> str:
    """The first word of a name where no other format begins so."""
    first = name.partition("-")[0]
    return first if sum(each.startswith(first) for each in known) == 1 else name
