"""One append-only file of events: what is not in it has not happened, and what was changed in it is
found; and the files beside it.

Since format 2 each line ends with a checksum over itself and the line before it. A log that was
begun in format 1 goes on as such: it cannot prove itself. Files beside the log are written whole or
not at all; what a trial leaves in `keep/` stays in `checkpoints/` as long as it is among the best.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import time
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, Literal, Self, final

from nas.errors import StoreError, StudyError
from nas.study.events import complaint_about

LOG: Final = "events.jsonl"
WORK: Final = "work"  # the folder in which trials write, each in one of its own number
# Weights that all children share: in the folder of the study, or of the comparison, that made them.
SUPERNET: Final = "supernet"
LEARNT: Final = "learnt.json"  # what older studies judged, until the log holds it
LEARNT_FILES: Final = "learnt"  # and what the best of it kept
COMPARISON: Final = "compare.json"  # what a comparison was asked for
CONFIRM: Final = "confirm"  # how the folders of studies begin that judge its best again
WEIGHTS_FILE: Final = "weights.safetensors"  # of a trained network, wherever it lies

FORMAT = 2
WITHOUT_CHECKS = 1  # the format before lines had checksums
Event = dict[str, Any]
Sync = Literal["each", "grouped"]

_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of ours")


_decode = json.JSONDecoder(
    parse_constant=_refuse_constant
).decode  # NaN is never written, so it is damage
_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 26
_DAMAGED = "is damaged, and lines follow it, so it was not torn by a crash"
_CHANGED = (
    "does not follow from the line before it (it was changed, or lines before it were added, "
    "removed or put elsewhere)"
)
_SECONDS_BETWEEN_SYNCS = 1.0
_HELD = (errno.EWOULDBLOCK, errno.EACCES)  # what flock says of a lock that another has
_LOOKS = 5  # a reader that asks whether we write has the lock for a moment
_SECONDS_BETWEEN_LOOKS = 0.02


def read_events(path: Path, start: int = 0) -> Iterator[tuple[int, Event]]:
    """Every event with the offset of its line; a torn last line is skipped, a damaged one before it
    is an error.

    Args:
        start: the offset of the line to begin with.
    """
    try:
        file = path.open("rb")
    except OSError as problem:
        raise StoreError(f"{path} cannot be read: {problem.strerror}") from problem
    offset, damaged_at = start, -1
    chain = _Chain(start)
    with file:
        file.seek(start)
        while line := file.readline(_LONGEST_LINE):
            if damaged_at >= 0 or len(line) == _LONGEST_LINE:
                at = offset if damaged_at < 0 else damaged_at
                raise StoreError(_damage(path, at, _DAMAGED))
            if not line.endswith(b"\n"):
                return  # torn, or being written just now
            event = _parsed(line)
            if event is None:
                damaged_at = offset
            elif not chain.fits(line, event):
                raise StoreError(_damage(path, offset, _CHANGED))
            elif complaint := complaint_about(event):
                raise StoreError(_damage(path, offset, complaint))
            else:
                yield offset, event
            offset += len(line)


class _Chain:
    """Follows the checksums from line to line; in a log of format 1 there are none to follow."""

    def __init__(self, start: int) -> None:
        self._before: int | None = 0 if start == 0 else None  # None: what came before is not known
        self._checked: bool | None = None

    def fits(self, line: bytes, event: Event) -> bool:
        """Whether this line belongs behind the one before; its checksum is taken out of the
        event."""
        check = event.pop("check", None)
        if self._checked is None:
            if event.get("format", FORMAT) not in (WITHOUT_CHECKS, FORMAT):
                return True  # of a later version, which whoever needs the format says
            self._checked = check is not None or event.get("format") == FORMAT
        if not self._checked:
            return check is None
        expected = line[-_TAIL:]
        if self._before is None:  # the first line that is looked at
            self._before = _checksum_of(line)
            return self._before is not None
        self._before = zlib.crc32(line[:-_TAIL], self._before)
        return expected == _tail(self._before)


def _tail(check: int) -> bytes:
    """How a line with this checksum ends."""
    return b',"check":"%08x"}\n' % check


_TAIL: Final = len(_tail(0))


def _checksum_of(line: bytes) -> int | None:
    """The checksum at the end of a line; None where there is none."""
    digits = line[-11:-3]
    try:
        check = int(digits, 16)
    except ValueError:
        return None
    return check if line.endswith(_tail(check)) else None


def _damage(path: Path, offset: int, complaint: str) -> str:
    with path.open("rb") as file:
        number = file.read(offset).count(b"\n") + 1
    return (
        f"{path}, line {number} {complaint}: restore the file from a copy, or cut it off before "
        "that line to lose what came after"
    )


def is_being_written(path: Path) -> bool:
    """Whether a process has this log open to write, or is at work in this folder; looking takes the
    lock for no longer than that."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as problem:
        return problem.errno in _HELD
    finally:
        os.close(file)
    return False


@final
class Store:
    """The single writer of a log, from `open` to `close`; the kernel releases its lock however the
    process dies.

    `each` syncs every line to disk before `append` returns. `grouped` hands every line to the
    kernel (a killed process loses nothing) and syncs about once a second (a power cut loses at most
    that).
    """

    def __init__(self, path: Path, *, sync: Sync = "each") -> None:
        self.path = path
        self._each = sync == "each"
        created = not path.exists()
        self._file = _opened(path)
        try:
            _lock(self._file, path)
            self.torn_bytes = _cut_torn_line(self._file, path)
            _sync_folder(path.parent)
        except _NoLocks:
            os.close(self._file)
            if created:
                path.unlink(missing_ok=True)
            raise
        except BaseException:
            os.close(self._file)
            raise
        self._end = os.fstat(self._file).st_size
        self._check = _last_check(self._file, self._end)
        self._synced_at = time.monotonic()
        self._closed = False

    @property
    def format(self) -> int:
        """The format of the lines that are written: a log stays what it was begun as."""
        return WITHOUT_CHECKS if self._check is None else FORMAT

    @property
    def size(self) -> int:
        """How many bytes the log has."""
        return self._end

    def append(self, event: Mapping[str, Any]) -> int:
        """Write one event as one line; returns the offset of the line."""
        return self.append_all((event,))[0]

    def append_all(self, events: Sequence[Mapping[str, Any]]) -> list[int]:
        """Write events that belong together, each as one line, with one sync; returns the offsets
        of the lines."""
        lines, check = self._lines(events)
        offsets = list(accumulate(map(len, lines[:-1]), initial=self._end))
        self._write(b"".join(lines))
        self._end += sum(map(len, lines))
        self._check = check

        now = time.monotonic()
        if self._each or now - self._synced_at >= _SECONDS_BETWEEN_SYNCS:
            self._sync()
            self._synced_at = now
        return offsets

    def _lines(self, events: Sequence[Mapping[str, Any]]) -> tuple[list[bytes], int | None]:
        """The events as lines, and the checksum of the last."""
        check = self._check
        if check is None:
            return [_encode(event).encode() + b"\n" for event in events], None
        lines = []
        for event in events:
            body = _encode(event).encode()[:-1]  # the tail closes it
            check = zlib.crc32(body, check)
            lines.append(body + _tail(check))
        return lines, check

    def events(self) -> Iterator[Event]:
        """Every event so far, oldest first."""
        return (event for _, event in read_events(self.path))

    def event_at(self, offset: int) -> Event:
        """The event whose line begins at this offset."""
        line = b""
        while not line.endswith(b"\n"):
            piece = os.pread(self._file, 4096, offset + len(line))
            assert piece, f"no line begins at {offset} of {self.path}"
            line += piece[: piece.index(b"\n") + 1] if b"\n" in piece else piece
        event = _parsed(line)
        assert event is not None
        event.pop("check", None)
        return event

    def close(self) -> None:
        """Sync what is written and give the lock back."""
        if not self._closed:
            self._closed = True
            try:
                self._sync()
            finally:
                os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, line: bytes) -> None:
        written = 0
        try:
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError as problem:
            os.ftruncate(
                self._file, self._end
            )  # half a line would be cut later anyway; an intact log is kinder
            raise StoreError(
                f"{self.path} cannot be written: {problem.strerror}; the log is intact: make room "
                "and resume"
            ) from problem

    def _sync(self) -> None:
        try:
            os.fsync(self._file)
        except OSError as problem:
            raise StoreError(
                f"{self.path} cannot be synced to disk: {problem.strerror}; make room and resume"
            ) from problem


class _NoLocks(StoreError):
    """The file system cannot lock at all."""


def _parsed(line: bytes) -> Event | None:
    if not line.endswith(b"\n"):
        return None
    try:
        event = _decode(line.decode())
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as problem:
        raise StoreError(f"{path} cannot be opened for writing: {problem.strerror}") from problem


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable, where the file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(file: int, path: Path) -> None:
    try:
        take_lock(file)
    except OSError as problem:
        if problem.errno in _HELD:
            raise StoreError(
                f"{path} is being written by another process: wait for it, stop it, or choose "
                "another folder with --out"
            ) from problem
        raise _NoLocks(
            f"{path} cannot be locked ({problem.strerror}): its file system has no locks, and two "
            "writers would spoil "
            "the log; choose a folder on a local disk with --out"
        ) from problem


def take_lock(file: int) -> None:
    """Lock an open file or folder; BlockingIOError where somebody else has it for longer than a
    look."""
    for _ in range(_LOOKS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        else:
            return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _cut_torn_line(file: int, path: Path) -> int:
    """Cut off a last line that is not a whole event; returns how many bytes went."""
    size = os.fstat(file).st_size
    begin = _begin_of_last_line(file, size)
    if begin == size or _parsed(os.pread(file, size - begin, begin)) is not None:
        return 0
    before = _begin_of_last_line(file, begin)
    if before < begin and _parsed(os.pread(file, begin - before, before)) is None:
        raise StoreError(_damage(path, before, _DAMAGED))  # a crash tears one line
    os.ftruncate(file, begin)
    os.fsync(file)
    return size - begin


def _last_check(file: int, size: int) -> int | None:
    """The checksum that the next line goes on from; None in a log without checksums."""
    if size == 0:
        return 0
    begin = _begin_of_last_line(file, size)
    return _checksum_of(os.pread(file, size - begin, begin))


def _begin_of_last_line(file: int, size: int) -> int:
    end = size - 1  # the newline that ends the last line does not begin it
    while end > 0:
        begin = max(0, end - _CHUNK)
        found = os.pread(file, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


# ------------------------------------------------------------------ files beside the log


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8: a draft first, synced, then renamed into place."""
    write_pieces(path, (content,))


def write_pieces(path: Path, pieces: Iterable[str | bytes]) -> None:
    """Write a file whole as well, without ever holding all of it."""
    draft = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            for piece in pieces:
                file.write(piece.encode() if isinstance(piece, str) else piece)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as problem:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise StudyError(f"{path} cannot be written: {problem.strerror}") from problem


def checkpoint_of(study: Path, number: int) -> Path:
    """Where the kept files of a trial lie, as long as it is among the best."""
    return study / "checkpoints" / str(number)


def keep_files(study: Path, number: int, best: Collection[int]) -> None:
    """Move what a trial left in `keep/` to `checkpoints/` if it is among the best, and drop what
    no longer is."""
    work, kept = study / WORK / str(number), checkpoint_of(study, number)
    try:
        if number in best and (work / "keep").is_dir() and not kept.exists():
            kept.parent.mkdir(exist_ok=True)
            (work / "keep").rename(kept)
    except OSError as problem:
        raise StoreError(
            f"{kept} cannot be written: {problem.strerror}; make room and resume"
        ) from problem

    shutil.rmtree(work, ignore_errors=True)
    _drop_checkpoints(study, best)


def tidy_files(study: Path, open_trials: Collection[int], best: Collection[int]) -> None:
    """Settle what a session left that was killed between a trial's end and its files."""
    for work in (study / WORK).glob("*"):
        if work.name.isdecimal() and int(work.name) not in open_trials:
            keep_files(study, int(work.name), best)
    _drop_checkpoints(study, best)


def _drop_checkpoints(study: Path, best: Collection[int]) -> None:
    names = {str(number) for number in best}
    for old in (study / "checkpoints").glob("*"):
        if old.name.isdecimal() and old.name not in names:
            shutil.rmtree(old, ignore_errors=True)
