"""Genotypes as people hand them over: a name, a file, a text, or lines on standard input."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.errors import NasError, SettingsError, known_names

if TYPE_CHECKING:
    from search_spaces.cells.genotype import Genotype
    from search_spaces.cells.space import SearchSpace

_MOST_INPUT = 1 << 26
_LINE = re.compile(
    rb"\{.*\}|\|.*\||[\d\s,]+|(\w+\s*=\s*)?(\w+\.)?Genotype\(.*\)"
)  # a genotype in one line


def parts_of(settings: Sequence[str] | None, known: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The `--set part.option=value` words of a verb, by part."""
    from nas.settings import assignments

    given = assignments(settings or ())
    for part in given:
        if part not in known:
            raise SettingsError(known_names(part, known, "part to set here"))
    return given


def make_space(name: str, options: Mapping[str, Any]) -> SearchSpace:
    """The space of this name with these options."""
    from nas.settings import Part

    part = Part.named("space", name, options)
    space: SearchSpace = part.factory(**part.options)
    return space


def read_genotypes(source: str, space: SearchSpace | None, form: str = "auto") -> list[Genotype]:
    """The genotypes of an argument: one, or on standard input (`-`) one per line.

    Args:
        form: which form the text must have; `auto` looks at it.
    """
    from nas.search.winners import genotype_at
    from search_spaces.cells.reading import parse_genotype

    if source == "-":
        return [parse_genotype(text, space, form) for text in _input_texts()]
    return [genotype_at(source, space, form)]


def _input_texts() -> list[bytes]:
    """Standard input, cut into lines where every line is a genotype by itself."""
    content = sys.stdin.buffer.read(_MOST_INPUT + 1)
    if len(content) > _MOST_INPUT:
        raise NasError(
            f"standard input is longer than {_MOST_INPUT >> 20} MiB; hand genotypes over in "
            "portions"
        )
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    if not lines:
        raise NasError("standard input is empty; expected a genotype, as from `nas sample nasnet`")
    whole = all(_LINE.fullmatch(line) for line in lines)
    return lines if whole and len(lines) > 1 else [content]


def check_target(path: Path) -> None:
    """Refuse, before any work is done, a file that cannot be made."""
    folder = path.parent
    if path.is_dir():
        raise NasError(f"{path} is a folder; give the name of a file")
    if not folder.is_dir():
        raise NasError(
            f"{path} cannot be written: there is no folder {str(folder)!r}; make it first"
        )


def write_text(path: Path, text: str) -> None:
    """Write a file whole; what is no plain file, such as /dev/stdout, is written to as it is."""
    from nas.study.store import write_whole

    check_target(path)
    if not path.exists() or path.is_file():
        write_whole(path, text)
        return
    try:
        with path.open("w", encoding="utf-8") as file:
            file.write(text)
    except OSError as problem:
        raise NasError(f"{path} cannot be written: {problem.strerror}") from problem
