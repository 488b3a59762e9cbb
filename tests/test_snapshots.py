"""A snapshot is a short cut only where it stands for the beginning of just this log."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nas.snapshots
from nas.snapshots import FILE_NAME, Snapshot, read_snapshot, write_snapshot

LINES = b'{"event":"started"}\n{"event":"told"}\n'
ARRAYS = {"weights": np.arange(6, dtype=np.float32).reshape(2, 3), "empty": np.empty((0, 0), dtype=np.int32)}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_bytes(LINES)
    write_snapshot(path, Snapshot(ARRAYS, len(LINES), 7))
    return path


def test_it_comes_back_whole(log: Path) -> None:
    back = read_snapshot(log)
    assert back is not None
    assert (back.log_bytes, back.updates) == (len(LINES), 7)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(back.arrays[name], array)
        assert back.arrays[name].dtype == array.dtype


def test_a_log_that_went_on_still_has_it(log: Path) -> None:
    log.write_bytes(LINES + b'{"event":"asked"}\n')
    assert read_snapshot(log) is not None


@pytest.mark.parametrize("content", [b"", LINES[:-1], LINES.replace(b"told", b"sold")], ids=["lost", "ahead", "other"])
def test_another_log_has_none(log: Path, content: bytes) -> None:
    log.write_bytes(content)
    assert read_snapshot(log) is None


def test_a_missing_or_torn_file_is_none(log: Path) -> None:
    file = log.with_name(FILE_NAME)
    file.write_bytes(file.read_bytes()[:40])
    assert read_snapshot(log) is None
    file.unlink()
    assert read_snapshot(log) is None


def test_one_of_another_version_is_none(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nas.snapshots, "__version__", "0.0.0")
    assert read_snapshot(log) is None


def test_a_disk_that_refuses_costs_the_short_cut_only(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    write_snapshot(log, Snapshot(ARRAYS, 0, 8))
    back = read_snapshot(log)
    assert back is not None
    assert back.updates == 7
