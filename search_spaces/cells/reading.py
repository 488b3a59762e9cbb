"""Genotypes from whatever a user has: a file, a name from the zoo, or a text in any of the forms we
know."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from search_spaces.cells.darts_text import from_darts_text, is_darts_text
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.json_form import MAX_BYTES, decoded, parsed
from search_spaces.cells.nasbench201_text import from_nasbench201_text, is_nasbench201_text
from search_spaces.errors import GenotypeError, known_names, shortened

if TYPE_CHECKING:
    from search_spaces.cells.space import SearchSpace

FORMS = ("choices", "darts", "json", "nasbench201")
_FORMS = "JSON, DARTS text, a NAS-Bench-201 string or, for a named space, comma-separated choices"
_INTEGER = re.compile(r"-?[0-9]{1,9}")
_MAX_CHOICES_TEXT = 100_000
_PATH_LENGTH = 200
_OF_NETWORKS = (".onnx", ".pt2", ".safetensors")
_QUOTED = 12  # characters of what is no genotype


def read_genotype(
    source: str | os.PathLike[str], space: SearchSpace | None = None, form: str = "auto"
) -> Genotype:
    """The genotype that a path, a name from the zoo or a text stands for.

    Args:
        space: what bare choices mean.
        form: one of `FORMS` that the text must have; `auto` looks at it.
    """
    if isinstance(source, str) and _is_text(source, space):
        return parse_genotype(source, space, form)
    if isinstance(source, str) and not Path(source).name:
        raise GenotypeError(
            f"{shortened(source)} is no genotype; expected a file, a name from the zoo, {_FORMS}"
        )
    if isinstance(source, str) and _is_published(source):
        return _published(source, form)
    content = _content(Path(source))
    try:
        return parse_genotype(content, space, form)
    except GenotypeError as problem:
        raise GenotypeError(f"{shortened(str(source), _PATH_LENGTH)}: {problem}") from None


def parse_genotype(
    text: str | bytes, space: SearchSpace | None = None, form: str = "auto"
) -> Genotype:
    """The genotype that a text stands for, in whichever form it is, or in the form that is asked
    for."""
    text = decoded(text)
    form = _form_of(text) if form == "auto" else form
    if form == "darts":
        return from_darts_text(text)
    if form == "nasbench201":
        return from_nasbench201_text(text)
    if form == "choices":
        return _from_choices(text, space)
    return Genotype.from_dict(_unwrapped(parsed(text)))


def choices_text(genotype: Genotype, space: SearchSpace) -> str:
    """The choices of a genotype as `parse_genotype` reads them."""
    return ",".join(map(str, space.encode(genotype)))


def _is_text(source: str, space: SearchSpace | None) -> bool:
    """Whether a word is a genotype itself; a lone number is one only where the space has a single
    decision."""
    if _choice_words(source) is not None:
        return "," in source or space is not None
    return source.lstrip()[:1] in ("{", "[", "|") or is_darts_text(source)


def _choice_words(text: str) -> list[str] | None:
    """The integers of a list of them, with or without brackets; None for any other text."""
    if len(text) > _MAX_CHOICES_TEXT:
        return None
    words = [word.strip() for word in text.strip().strip("()[]").rstrip(", ").split(",")]
    return words if all(_INTEGER.fullmatch(word) for word in words) else None


def _form_of(text: str) -> str:
    if is_darts_text(text):
        return "darts"
    if is_nasbench201_text(text):
        return "nasbench201"
    if _choice_words(text) is not None:
        return "choices"
    if not text.strip() or text.lstrip()[0] in "{[":
        return "json"
    raise GenotypeError(f"{_beginning(text)} is no genotype; expected {_FORMS}")


def _beginning(text: str) -> str:
    """So much of a text that its reader knows which it is; it may be a file with secrets."""
    return f"a text that begins {shortened(text[:_QUOTED])}"


def _from_choices(text: str, space: SearchSpace | None) -> Genotype:
    words = _choice_words(text)
    if words is None:
        raise GenotypeError(
            f"{_beginning(text)} is no list of choices; expected option indices with commas, as in "
            "0,2,1"
        )
    if space is None:
        raise GenotypeError(
            f"{shortened(','.join(words))} are choices; say of which space they are"
        )
    return space.decode([int(word) for word in words])


def _unwrapped(record: object) -> object:
    """The genotype of a file that holds more, such as one of the zoo."""
    if isinstance(record, dict) and "genotype" in record and "cells" not in record:
        return record["genotype"]
    return record


def _is_published(name: str) -> bool:
    from search_spaces import zoo

    return name in zoo.names() and not Path(name).exists()


def _published(name: str, form: str) -> Genotype:
    from search_spaces import zoo

    if form not in ("auto", "json"):
        raise GenotypeError(
            f"{name!r} is a published genotype and kept as json, but {form} was asked for"
        )
    return zoo.load(name).genotype


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        from search_spaces import zoo

        raise GenotypeError(
            known_names(str(path), zoo.names(), "file or published genotype")
        ) from None
    except OSError as problem:
        raise GenotypeError(
            f"{shortened(str(path), _PATH_LENGTH)} cannot be read: {problem.strerror}; expected "
            f"{_FORMS}"
        ) from None
    except ValueError:  # a null byte
        raise GenotypeError(
            f"{shortened(str(path), _PATH_LENGTH)} is no path and no genotype; expected {_FORMS}"
        ) from None
    if path.suffix in _OF_NETWORKS or _is_safetensors(content):
        raise GenotypeError(
            f"{shortened(str(path), _PATH_LENGTH)} holds a network or its weights, and no genotype:"
            " give the folder that it was exported to, or the genotype.json there"
        )
    if len(content) > MAX_BYTES:
        raise GenotypeError(
            f"{shortened(str(path), _PATH_LENGTH)} has more than {MAX_BYTES:,} bytes, which no "
            "genotype has"
        )
    return content


def _is_safetensors(content: bytes) -> bool:
    """Whether bytes begin as a file of weights does: with a length, and then JSON."""
    return content[8:10] == b'{"' and b"\0" in content[:8]
