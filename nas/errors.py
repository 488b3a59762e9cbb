"""What is told to users: one root, few children, and how words stand in a sentence."""

import os
import shlex

try:
    from search_spaces.errors import (
        GenotypeError,
        NasError,
        NetworkError,
        SpaceError,
        UnknownOpError,
        known_names,
        shortened,
    )
except ImportError as problem:
    raise ImportError(
        "Python finds a 'search_spaces' that is not the one of this package: rename or uninstall "
        "that one, or work in another folder"
    ) from problem

__all__ = [
    "ExpressionError",
    "GenotypeError",
    "LatencyError",
    "NasError",
    "NetworkError",
    "SettingsError",
    "SpaceError",
    "StoreError",
    "StudyError",
    "TableError",
    "UnknownOpError",
    "counted",
    "known_names",
    "shell_word",
    "shortened",
]


class SettingsError(NasError):
    """A setting that is unknown, of the wrong type or out of range."""


class ExpressionError(NasError):
    """An expression that has no finite value for the numbers at hand."""


class LatencyError(NasError):
    """A network of which a command could not say how long it takes: its trial fails, the search
    goes on."""

    def __init__(self, message: str, failure_kind: str = "error") -> None:
        super().__init__(message)
        self.failure_kind = failure_kind


class StoreError(NasError):
    """A log that cannot be read, written or locked."""


class StudyError(NasError):
    """A study that cannot start, continue or be found."""


class NotJudged(NasError):
    """A winner whose final cannot be read; the search that found it is whole all the same."""


class TableError(NasError):
    """A table of results that does not fit its space or its expressions."""


def counted(number: int, noun: str) -> str:
    """`1 seed`, `1,200 seeds`, `2 studies`."""
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else many}"


def shell_word(word: str) -> str:
    """A word of a command that is to be copied: quoted, with no character in it that steers a
    terminal."""
    if word.isprintable():
        return shlex.quote(word)
    return f"$'{''.join(map(_shell_character, word))}'"


def _shell_character(character: str) -> str:
    if character.isprintable() and character not in "'\\":
        return character
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(character))
