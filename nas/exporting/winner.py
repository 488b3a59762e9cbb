"""The winner of a trained search as files in its `best/`: renewed with the winner, and never a
reason to fail."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.contracts import Evaluator, Json, Trial
from nas.errors import SettingsError, shell_word
from nas.exporting.known import plainer_formats, quick_formats
from nas.registry import resolve
from nas.search.record import read_record
from nas.study.store import WEIGHTS_FILE, checkpoint_of

_SECONDS_DRAFTS_STAY = 3600.0


@dataclass(frozen=True, slots=True)
class Winner:
    """What lies in `best/`, all of it verified, and what could not be written there."""

    study: Path
    files: tuple[Path, ...]
    problem: str | None = None
    again: str | None = None  # the command that tries what failed once more
    interrupted: bool = False

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self.study / "best"

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        files = [str(file) for file in self.files]
        return {
            "folder": str(self.folder),
            "files": files,
            "problem": self.problem,
            "try_again": self.again,
        }


def refuse_without_weights(evaluator: str, *, cheap: bool, formats: Sequence[str]) -> None:
    """Formats were asked for of a search that trains nothing: said before it begins."""
    if cheap:
        raise SettingsError(
            f"--to {','.join(formats)} exports trained weights, and evaluator {evaluator!r} "
            "trains none: leave it out, and export the winner untrained with `nas export`"
        )


def finish(
    study: Path,
    best: Trial | None,
    evaluator: Evaluator,
    formats: Sequence[str] | None,
    notice: Callable[[str], None],
) -> Winner | None:
    """Export the winner of a finished search where its network was trained and its weights were
    kept; None where there is nothing to export.

    Args:
        formats: None is all that take seconds, an empty sequence is no export.
        notice: hears what is about to happen, or why nothing does.
    """
    if best is None or formats == [] or evaluator.cheap or not best.genotype.cells:
        return None
    if not kept_weights(study, best.number):
        if formats:
            notice("the winner is not exported: its weights were not kept")
        return None
    formats = formats or quick_formats()
    notice(f"exporting the winner: {', '.join(formats)}")
    return export_winner(study, formats)


def kept_weights(study: Path, number: int) -> bool:
    """Whether a study kept the weights of this trial, so that its network can be exported as
    trained."""
    return (checkpoint_of(study, number) / WEIGHTS_FILE).is_file()


def export_winner(study: Path, formats: Sequence[str]) -> Winner:
    """Export the best trial of a study to its `best/`, unless it lies there already.

    Whatever goes wrong is told, not raised: the search is over, and its log holds all that was
    found.
    """
    _clear_drafts(study)
    try:
        return Winner(study, _exported(study, formats))
    except (Exception, KeyboardInterrupt) as problem:  # foreign code: exporters may raise anything
        again = f"nas export {shell_word(str(study))} --to {','.join(formats)}"
        files, stopped = _without_extras(study, formats, problem), _is_stop(problem)
        return Winner(study, files, _sentence(problem), again, interrupted=stopped)


def _clear_drafts(study: Path) -> None:
    """Drop what exports left that were killed; a fresh draft may be somebody's who exports this
    moment."""
    for draft in study.glob(".best-*"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > _SECONDS_DRAFTS_STAY:
                shutil.rmtree(draft, ignore_errors=True)


def _without_extras(
    study: Path, formats: Sequence[str], problem: BaseException
) -> tuple[Path, ...]:
    """What needs torch alone, where one of the other formats may be what failed."""
    plain = plainer_formats(formats)
    if len(plain) in (0, len(formats)) or _is_stop(problem):
        return ()
    try:
        return _exported(study, plain)
    except (Exception, KeyboardInterrupt):
        return ()


def _exported(study: Path, formats: Sequence[str]) -> tuple[Path, ...]:
    from nas.exporting.choosing import choices, subject_of
    from nas.exporting.export import export, identity_of

    subject = subject_of(choices(str(study))[0])
    folder = study / "best"
    there = _lying_there(identity_of(subject), folder, formats)
    if there:
        return there
    exported = export(subject, folder, formats)
    return tuple(dict.fromkeys(file for files in exported.files.values() for file in files))


def _lying_there(
    identity: Mapping[str, Json], folder: Path, formats: Sequence[str]
) -> tuple[Path, ...]:
    """The files of an earlier export of the same winner with the same weights, as they were
    verified then."""
    record = read_record(folder)
    intact = record.intact(folder) if record is not None and record.subject == identity else ()
    if record is None or not {"card", *(resolve("exporter", name) for name in formats)} <= set(
        intact
    ):
        return ()
    return tuple(dict.fromkeys(folder / name for kind in intact for name in record.files[kind]))


def _is_stop(problem: BaseException) -> bool:
    return isinstance(problem, KeyboardInterrupt)


def _sentence(problem: BaseException) -> str:
    if _is_stop(problem):
        return "it was interrupted"
    return " ".join(f"{problem}".split())[:300] or type(problem).__name__
