"""One append-only file: a single writer, any number of readers, and a clear word about whatever is
wrong with it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nas.errors import StoreError
from nas.study.store import Store, read_events


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def written(log: Path, count: int, sync: str = "each") -> list[int]:
    with Store(log, sync="each" if sync == "each" else "grouped") as store:
        return [store.append({"event": "noted", "number": number}) for number in range(count)]


def numbers(log: Path) -> list[int]:
    return [event["number"] for _, event in read_events(log)]


@pytest.mark.parametrize("sync", ["each", "grouped"])
def test_what_is_appended_is_read(log: Path, sync: str) -> None:
    offsets = written(log, 5, sync)
    assert [offset for offset, _ in read_events(log)] == offsets
    assert numbers(log) == [0, 1, 2, 3, 4]
    assert all(json.loads(line)["event"] == "noted" for line in log.read_text().splitlines())


def test_events_can_be_read_from_the_middle(log: Path) -> None:
    offsets = written(log, 5)
    assert [event["number"] for _, event in read_events(log, offsets[3])] == [3, 4]


def test_an_event_is_found_by_its_offset(log: Path) -> None:
    with Store(log) as store:
        offsets = [
            store.append({"event": "noted", "number": n, "text": "x" * n * 3000}) for n in range(5)
        ]
        assert [store.event_at(offset)["number"] for offset in offsets] == [0, 1, 2, 3, 4]


def test_lines_are_in_the_kernel_before_append_returns(log: Path) -> None:
    """So kill -9 loses nothing, in both durabilities."""
    for sync in ("each", "grouped"):
        store = Store(log, sync="each" if sync == "each" else "grouped")
        before = len(numbers(log))
        store.append({"event": "noted", "number": 1})
        assert len(numbers(log)) == before + 1
        store.close()


def test_grouped_syncs_about_once_a_second(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[float] = []
    clock = [100.0]
    with Store(log, sync="grouped") as store:
        monkeypatch.setattr("nas.study.store.time.monotonic", lambda: clock[0])
        monkeypatch.setattr("nas.study.store.os.fsync", lambda file: synced.append(clock[0]))
        store._synced_at = clock[0]
        for _ in range(30):
            clock[0] += 0.1
            store.append({"event": "noted"})
        assert 2 <= len(synced) <= 3
    assert len(synced) >= 3  # and at the end


@pytest.mark.parametrize(
    "tail",
    [b'{"event":"to', b"\0" * 9000, b"\xff\xff", b"\n", b"nonsense\n", b'{"number":3}\n', b"7\n"],
)
def test_a_torn_last_line_is_skipped_by_readers_and_cut_by_the_next_writer(
    log: Path, tail: bytes
) -> None:
    written(log, 3)
    whole = log.read_bytes()
    log.write_bytes(whole + tail)
    assert numbers(log) == [0, 1, 2]
    with Store(log) as store:
        assert store.torn_bytes == len(tail)
        assert log.read_bytes() == whole
        store.append({"event": "noted", "number": 3})
    assert numbers(log) == [0, 1, 2, 3]


def test_a_line_being_written_is_not_yet_there_for_a_reader(log: Path) -> None:
    written(log, 2)
    events = read_events(log)
    assert next(events)[1]["number"] == 0
    with log.open("ab") as file:
        file.write(b'{"event":"told","num')
    assert [event["number"] for _, event in events] == [1]


@pytest.mark.parametrize(
    "damage",
    [b"nonsense\n", b"\0\0\0\n", b"\xfftext\n", b'{"event":"told","score":NaN}\n', b"[]\n"],
)
def test_a_damaged_line_in_the_middle_names_file_and_line(log: Path, damage: bytes) -> None:
    written(log, 4)
    content = log.read_bytes().splitlines(keepends=True)
    content[2] = damage
    log.write_bytes(b"".join(content))
    with pytest.raises(
        StoreError,
        match=r"events\.jsonl, line 3 is damaged, and lines follow it, .* restore the file",
    ):
        numbers(log)


def test_a_writer_does_not_build_on_two_damaged_lines(log: Path) -> None:
    written(log, 2)
    spoiled = log.read_bytes() + b"one\ntwo\n"
    log.write_bytes(spoiled)
    with pytest.raises(StoreError, match="line 3 is damaged"):
        Store(log)
    assert log.read_bytes() == spoiled


def test_one_writer_any_number_of_readers(log: Path) -> None:
    with Store(log) as store:
        store.append({"event": "noted", "number": 0})
        with pytest.raises(
            StoreError, match="is being written by another process: wait for it, stop it, or choose"
        ):
            Store(log)
        assert numbers(log) == [0]
    with Store(log):
        pass


def test_the_lock_dies_with_its_process(log: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from nas.study.store import Store\n"
        "store = Store(Path(sys.argv[1])); store.append({'event': 'noted', 'number': 0}); "
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(log)], check=False).returncode == -9
    with Store(log) as store:
        store.append({"event": "noted", "number": 1})
    assert numbers(log) == [0, 1]


def test_a_file_system_without_locks_is_refused_and_left_as_it_was(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(file: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(
        StoreError, match=r"cannot be locked .*its file system has no locks, .* choose a folder"
    ):
        Store(log)
    assert not log.exists()


def test_a_full_disk_leaves_the_log_intact(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write

    def write(file: int, data: bytes) -> int:
        if len(data) > 10:
            return real(file, data[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Store(log) as store:
        store.append({"event": "noted", "number": 0})
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write)
            with pytest.raises(
                StoreError,
                match="cannot be written: No space left on device; the log is intact: make",
            ):
                store.append({"event": "noted", "number": 1, "text": "x" * 35})
        assert numbers(log) == [0]
        store.append({"event": "noted", "number": 2})
    assert numbers(log) == [0, 2]


def test_what_cannot_be_synced_is_said(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    store = Store(log)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(
            StoreError, match="cannot be synced to disk: Input/output error; make room and resume"
        ):
            store.append({"event": "noted"})
    store.close()


def test_nan_is_never_written(log: Path) -> None:
    with Store(log) as store:
        with pytest.raises(ValueError, match="JSON compliant"):
            store.append({"event": "noted", "score": float("nan")})
        assert log.read_bytes() == b""


@pytest.mark.parametrize("place", ["missing/events.jsonl", "file/events.jsonl"])
def test_a_folder_that_is_none_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        StoreError,
        match=r"events\.jsonl cannot be opened for writing: (No such file|Not a directory)",
    ):
        Store(tmp_path / place)
    with pytest.raises(
        StoreError, match=r"events\.jsonl cannot be read: (No such file|Not a directory)"
    ):
        numbers(tmp_path / place)
