"""One export: write beside the place, verify, write the card, then put everything in place."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from nas.contracts import Json
from nas.errors import NasError
from nas.exporting.card import card, write_card
from nas.exporting.front_matter import front_matter
from nas.exporting.known import formats as formats_there_are
from nas.exporting.latencies import latencies
from nas.exporting.subject import Subject
from nas.exporting.verification import batches_for, verified
from nas.exporting.written import Exporter, Written
from nas.registry import load, resolve
from nas.search.record import (
    OF_THE_SEARCH,
    RECORD_FILE,
    Check,
    Record,
    is_of_a_search,
    is_ours,
    read_record,
    remove_files,
)
from nas.settings import options_of
from nas.training.latency import Latency
from search_spaces.cells.cost import Cost, cost

_HUB = "hub-folder"  # whose card begins with what the Hub reads


@dataclass(frozen=True, slots=True)
class Exported:
    """What lies in the folder now: files with the seconds their format took, and how each was
    verified."""

    folder: Path
    files: Mapping[str, tuple[Path, ...]]
    seconds: Mapping[str, float]
    checks: tuple[Check, ...]
    cost: Cost
    latencies: tuple[Latency, ...]


def export(
    subject: Subject,
    folder: Path,
    formats: Sequence[str],
    *,
    batches: Sequence[int] | None = None,
    latency: bool = False,
    licence: str | None = None,
    options: Mapping[str, object] | None = None,
) -> Exported:
    """Write a subject in these formats; the folder changes only when every file has been
    verified.

    Args:
        licence: of the weights, for cards that name one.
        options: of the formats that know them; None among them is as if it was not said.
    """
    names = list(dict.fromkeys(resolve("exporter", name) for name in formats))
    if not names:
        known = ", ".join(each.word for each in formats_there_are())
        raise NasError(f"no format to export to; expected some of {known}")
    spent = cost(subject.genotype, subject.skeleton)
    draft = _draft_beside(folder)
    try:
        written, seconds = _written(subject, draft, names, options or {})
        checks = verified(subject, written, batches or batches_for(spent.macs))
        speeds = _speeds(subject, draft) if latency else []
        files = {name: part.files for name, part in written.items()}
        usages = {name: part.usage for name, part in written.items()}
        record = _staying(folder, identity_of(subject)).joined(files, usages, checks)
        text = card(subject, spent, record.usages, record.checks, speeds)
        if _HUB in record.usages:
            text = front_matter(subject, licence) + text
        files["card"] = (write_card(draft, text),)
        folder.mkdir(exist_ok=True)
        placed = _placed(files, folder, record.joined({"card": files["card"]}, {}, ()))
    except OSError as problem:
        raise NasError(
            f"{folder} cannot be written: {problem.strerror}; choose another with --out"
        ) from problem
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Exported(folder, placed, seconds, tuple(checks), spent, tuple(speeds))


def _draft_beside(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise NasError(
            f"{folder} is a file, but an export needs a folder; choose another with --out"
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    except OSError as problem:
        raise NasError(
            f"{folder} cannot be made: {problem.strerror}; choose another with --out"
        ) from problem


def _written(
    subject: Subject, draft: Path, names: Sequence[str], options: Mapping[str, object]
) -> tuple[dict[str, Written], dict[str, float]]:
    written, seconds = {}, {}
    for name in names:
        exporter: Exporter = load("exporter", name)
        began = time.perf_counter()
        known = options_of(exporter)
        own = {
            each: value for each, value in options.items() if each in known and value is not None
        }
        written[name] = exporter(subject, draft, **own)
        seconds[name] = time.perf_counter() - began
        _refuse_names(name, written[name])
    return written, seconds


def _refuse_names(name: str, written: Written) -> None:
    for file in written.files:
        if not is_ours(file.name):
            raise NasError(
                f"exporter {name} writes {file.name!r}; call its files model.*, cells.* or "
                "network.*, so that no other "
                "file of a folder is ever taken for an exported one"
            )


def _speeds(subject: Subject, draft: Path) -> list[Latency]:
    model = draft / "model.onnx"
    engines = ("torch", "onnxruntime") if model.exists() else ("torch",)
    return latencies(
        subject, (1,), seconds=1.0, engines=engines, model=model if model.exists() else None
    )


def identity_of(subject: Subject) -> dict[str, Json]:
    """Whose files these are: the same only for the same drawing with the same weights in the same
    skeleton."""
    digest = hashlib.sha256(repr(asdict(subject.skeleton)).encode())
    for name, tensor in subject.network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    trial = subject.origin.get("trial")
    facts = {"key": subject.genotype.key, "trial": trial, "trained": bool(subject.trained)}
    return {**facts, "digest": digest.hexdigest()[:16]}


def _placed(
    files: Mapping[str, tuple[Path, ...]], folder: Path, record: Record
) -> dict[str, tuple[Path, ...]]:
    """Puts files in place so that those of two subjects never lie side by side, wherever this is
    cut short."""
    _refuse_files_of_others({file.name for part in files.values() for file in part}, folder)
    old = read_record(folder)
    if old is not None and old.subject != record.subject:
        remove_files(
            folder,
            old,
            but=[name for kind, part in record.files.items() if kind not in files for name in part],
        )
    replace(record, whole=False).write(folder)
    for part in files.values():
        for file in part:
            file.replace(folder / file.name)
    record.write(folder)
    return {name: tuple(folder / file.name for file in part) for name, part in files.items()}


def _refuse_files_of_others(names: set[str], folder: Path) -> None:
    """Whoever exports into a folder of their own shall not lose a file there."""
    old, place = read_record(folder), folder.resolve()
    known = {RECORD_FILE, *(each for part in old.files.values() for each in part)} if old else set()
    if is_of_a_search(place):
        known |= OF_THE_SEARCH
    in_the_way = sorted(
        name for name in {*names, RECORD_FILE} - known if os.path.lexists(folder / name)
    )
    if in_the_way:
        raise NasError(
            f"{folder} holds {', '.join(in_the_way)}, which no export that is known there has "
            "written; nothing was "
            "changed: move it away, or choose another folder with --out"
        )


def _staying(folder: Path, identity: Mapping[str, Json]) -> Record:
    """What stays of an earlier export."""
    old = read_record(folder)
    return Record(identity, {}, whole=True) if old is None else old.staying(folder, identity)
