"""What lies in a folder that somebody names, told by its files' names alone."""

from __future__ import annotations

from pathlib import Path

from nas.errors import shell_word
from nas.study.store import COMPARISON

_LONGEST_FILE_NAME = 255  # of any file system
_DEPTHS = ("*", "*/*")


def place_of(source: str) -> Path:
    """Where a word would lie; a genotype as a text may be too long for a path, and lies nowhere."""
    too_long = any(
        len(name.encode(errors="replace")) > _LONGEST_FILE_NAME for name in source.split("/")
    )
    return Path("{}" if too_long or source.lstrip().startswith("{") else source)


def is_study(folder: Path) -> bool:
    """Whether a study lies here."""
    return (folder / "study.json").is_file()


def is_comparison(folder: Path) -> bool:
    """Whether a comparison lies here."""
    return (folder / COMPARISON).is_file()


def is_searched(folder: Path) -> bool:
    """Whether something was searched here: by a study, or by those of a comparison."""
    return is_study(folder) or is_comparison(folder)


def others_below(folder: Path, *names: str) -> str:
    """The end of a sentence that says where a file of one of these names lies instead; nothing
    where none does."""
    found = (
        path.parent
        for depth in _DEPTHS
        for path in sorted(one for name in names for one in folder.glob(f"{depth}/{name}"))
    )
    first = next(found, None)
    return "" if first is None else f"; one lies below it, {shell_word(str(first))}"
