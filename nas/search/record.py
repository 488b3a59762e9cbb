"""What an exported folder says of itself to machines: whose files lie there, and whether all of
them do."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from nas.contracts import Json
from nas.study.store import write_whole

RECORD_FILE = "export.json"
FRONT = "front"  # below `best/`, where there are several objectives
OF_THE_SEARCH = frozenset(
    {"genotype.json", "cells.svg"}
)  # what a search writes into its `best/` by itself
_OURS = re.compile(
    r"README\.md|genotype\.json|weights\.safetensors|(model|cells|network)\.[a-z0-9]{1,12}"
    r"|config\.json|modeling\.py|model\.(int8|fp16)\.onnx"
)
_MAY_CHANGE = OF_THE_SEARCH | {
    "README.md"
}  # written again by every resume, or a place for people's own notes
_DRAWING = ("genotype.json",)
_LARGEST = 1 << 20


def is_of_a_search(place: Path) -> bool:
    """Whether a search writes there by itself: `best/` of a study, and each of its front."""
    if place.parent.name == FRONT:
        place = place.parent.parent
    return place.name == "best" and (place.parent / "study.json").is_file()


@dataclass(frozen=True, slots=True)
class Check:
    """How far a format's logits are from ours for a batch of images."""

    format: str
    batch: int
    difference: float
    relative: float  # to the largest logit of the batch


@dataclass(frozen=True, slots=True)
class Record:
    """The files of each format, and the subject that all of them show.

    Args:
        whole: False between the first file that was put in place and the last.
        digests: SHA-256 of each file.
        usages: what the card says of each format.
        checks: how far each format was from the network, as in the card.
    """

    subject: Mapping[str, Json]
    files: Mapping[str, tuple[str, ...]]
    whole: bool
    digests: Mapping[str, str] = field(default_factory=dict)
    usages: Mapping[str, str] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()

    def write(self, folder: Path) -> None:
        """Leave the record in the folder."""
        write_whole(folder / RECORD_FILE, json.dumps(asdict(self), indent=2) + "\n")

    def intact(self, folder: Path) -> tuple[str, ...]:
        """The formats whose files are as they were written; none where the last export was cut
        short."""
        return (
            tuple(name for name in self.files if self._is_intact(folder, name))
            if self.whole
            else ()
        )

    def staying(self, folder: Path, subject: Mapping[str, Json]) -> Record:
        """What may stay beside files of a subject: all of the same one, only the drawing itself of
        the same genotype.

        What was verified is said only of files that are as they were then.
        """
        is_same_drawing = self.subject.get("key") == subject["key"]
        files = {
            name: part
            for name, part in self.files.items()
            if (self.subject == subject or (is_same_drawing and part == _DRAWING))
            and any((folder / each).is_file() for each in part)
        }
        return Record(
            subject,
            files,
            self.whole,
            {
                name: self.digests[name]
                for part in files.values()
                for name in part
                if name in self.digests
            },
            {
                name: text
                for name, text in self.usages.items()
                if name in files and self._lies_in(folder, name)
            },
            tuple(
                check
                for check in self.checks
                if check.format in files and self._is_intact(folder, check.format)
            ),
        )

    def joined(
        self,
        files: Mapping[str, Sequence[Path]],
        usages: Mapping[str, str],
        checks: Sequence[Check],
    ) -> Record:
        """The record of a folder where these files lie too, of formats that take the place of those
        of their names."""
        return Record(
            self.subject,
            {
                **self.files,
                **{name: tuple(file.name for file in part) for name, part in files.items()},
            },
            True,
            {
                **self.digests,
                **{file.name: digest_of(file) for part in files.values() for file in part},
            },
            {**self.usages, **usages},
            (*(check for check in self.checks if check.format not in files), *checks),
        )

    def _lies_in(self, folder: Path, format: str) -> bool:
        return all((folder / name).is_file() for name in self.files[format])

    def _is_intact(self, folder: Path, format: str) -> bool:
        """Whether the files of a format are as they were written."""
        return self._lies_in(folder, format) and all(
            name in _MAY_CHANGE or digest_of(folder / name) == self.digests.get(name)
            for name in self.files[format]
        )


def digest_of(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_record(folder: Path) -> Record | None:
    """The record of a folder; None where there is none that we can read."""
    file = folder / RECORD_FILE
    try:
        if file.stat().st_size > _LARGEST:
            return None
        found = json.loads(file.read_text(encoding="utf-8"))
        files = {_today(kind): tuple(map(_name, names)) for kind, names in found["files"].items()}
        return Record(
            dict(found["subject"]),
            files,
            found["whole"] is True,
            _texts(found.get("digests")),
            _texts(found.get("usages")),
            _checks(found.get("checks")),
        )
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None


def _texts(found: object) -> dict[str, str]:
    """A table of texts; what else stands there is no reason to lose the rest."""
    return (
        {_today(name): text for name, text in found.items() if isinstance(text, str)}
        if isinstance(found, dict)
        else {}
    )


def _checks(found: object) -> tuple[Check, ...]:
    kinds = {"format": str, "batch": int, "difference": float, "relative": float}
    return tuple(
        Check(**{**{name: check[name] for name in kinds}, "format": _today(check["format"])})
        for check in (found if isinstance(found, list) else [])
        if isinstance(check, dict)
        and all(isinstance(check.get(name), kind) for name, kind in kinds.items())
    )


def _today(format: object) -> str:
    """What a format is called now that was recorded under another name."""
    return {"onnx-model": "onnx"}.get(str(format), str(format))


def is_ours(name: str) -> bool:
    """Whether an exporter may write a file of this name: no other is ever replaced or removed."""
    return _OURS.fullmatch(name) is not None


def _name(word: object) -> str:
    """The name of a file that exporters write, so that clearing away removes nothing else."""
    if not isinstance(word, str) or not is_ours(word):
        raise ValueError(word)
    return word


def clear(folder: Path, record: Record, *, but: Sequence[str] = ()) -> None:
    """Forget an earlier subject: its files first, the record last, so that this can be repeated."""
    remove_files(folder, record, but=but)
    with suppress(OSError):
        (folder / RECORD_FILE).unlink()


def remove_files(folder: Path, record: Record, *, but: Sequence[str] = ()) -> None:
    """Remove the files that a record lists."""
    for name in {name for part in record.files.values() for name in part} - set(but):
        with suppress(OSError):
            (folder / name).unlink()
