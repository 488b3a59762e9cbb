"""What an exported folder says of itself to machines: whose files lie there, and whether all of them do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nas.contracts import Json
from nas.files import write_whole

RECORD_FILE = "export.json"
OF_THE_SEARCH = frozenset({"genotype.json", "cells.svg"})  # what a search writes into its `best/` by itself
_OURS = re.compile(r"README\.md|genotype\.json|weights\.safetensors|(model|cells|network)\.[a-z0-9]{1,12}")
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """The files of each format, and the subject that all of them show."""

    subject: Mapping[str, Json]
    files: Mapping[str, tuple[str, ...]]
    whole: bool  # False between the first file that was put in place and the last

    def write(self, folder: Path) -> None:
        """Leave the record in the folder."""
        content = {"whole": self.whole, "subject": self.subject, "files": self.files}
        write_whole(folder / RECORD_FILE, json.dumps(content, indent=2) + "\n")

    def holds(self, folder: Path, formats: Sequence[str]) -> bool:
        """Whether these formats lie in the folder, whole."""
        listed = all(name in self.files for name in formats)
        return self.whole and listed and all((folder / name).is_file() for part in self.files.values() for name in part)


def read_record(folder: Path) -> Record | None:
    """The record of a folder; None where there is none that we can read."""
    file = folder / RECORD_FILE
    try:
        if file.stat().st_size > _LARGEST:
            return None
        found = json.loads(file.read_text(encoding="utf-8"))
        files = {str(kind): tuple(map(_name, names)) for kind, names in found["files"].items()}
        return Record(dict(found["subject"]), files, found["whole"] is True)
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None


def is_ours(name: str) -> bool:
    """Whether an exporter may write a file of this name: no other is ever replaced or removed."""
    return _OURS.fullmatch(name) is not None


def _name(word: object) -> str:
    """The name of a file that exporters write, so that clearing away removes nothing else."""
    if not isinstance(word, str) or not is_ours(word):
        raise ValueError(word)
    return word


def clear(folder: Path, record: Record, *, but: Sequence[str] = ()) -> None:
    """Remove the files of an earlier subject; the record goes last, so that this can be repeated."""
    for name in {name for part in record.files.values() for name in part} - set(but):
        with suppress(OSError):
            (folder / name).unlink()
    with suppress(OSError):
        (folder / RECORD_FILE).unlink()
