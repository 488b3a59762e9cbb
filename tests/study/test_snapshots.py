"""A snapshot is a short cut only where it stands for the beginning of just this log."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nas.study.snapshots
from nas.contracts import Evaluation
from nas.strategies.controller.plain_space import PlainSpace
from nas.strategies.policy_gradient import PolicyGradient
from nas.study import Budget, Rules
from nas.study.snapshots import FILE_NAME, Snapshot, read_snapshot, write_snapshot
from nas.study.store import Event
from nas.study.study import Study
from parts.command_line import SMALL
from parts.command_line import nas as run_command
from parts.studies import lines

LINES = b'{"event":"started"}\n{"event":"told"}\n'
ARRAYS = {
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3),
    "empty": np.empty((0, 0), dtype=np.int32),
}


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


@pytest.mark.parametrize(
    "content", [b"", LINES[:-1], LINES.replace(b"told", b"sold")], ids=["lost", "ahead", "other"]
)
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
    monkeypatch.setattr(nas.study.snapshots, "__version__", "0.0.0")
    assert read_snapshot(log) is None


def test_a_disk_that_refuses_costs_the_short_cut_only(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    write_snapshot(log, Snapshot(ARRAYS, 0, 8))
    back = read_snapshot(log)
    assert back is not None
    assert back.updates == 7


SPACE = PlainSpace.of(3, 4, 2)


def studied(
    folder: Path, trials: int, monkeypatch: pytest.MonkeyPatch, every: int = 20
) -> tuple[Study, list[str]]:
    """A study of the controller that goes on to so many trials; also its proposals."""
    monkeypatch.setattr(nas.study.snapshots, "TRIALS_BETWEEN", every)
    strategy = PolicyGradient(SPACE, 0, preset="plain", hidden=16, redraws=0)
    folder.mkdir(exist_ok=True)
    study = Study(
        folder,
        strategy,
        budget=Budget(trials=trials),
        rules=Rules(duplicates="retrain"),
        sync="grouped",
    )
    with study:
        for trial in study.todo():
            study.tell(trial.number, Evaluation(float(SPACE.encode(trial.genotype)[0] == 1)))
    return study, [
        repr(event["genotype"]) for event in study.store.events() if event["event"] == "asked"
    ]


def updates(study: Study) -> list[Event]:
    kept = ("update", "told", "entropy", "kl", "policy")
    return [
        {name: event[name] for name in kept}
        for event in study.store.events()
        if event["event"] == "updated"
    ]


def test_a_study_resumed_from_a_snapshot_goes_on_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told only what came after it, the strategy proposes, and writes down, what the study without
    a stop does."""
    told: list[int] = []
    whole, proposals = studied(tmp_path / "whole", 70, monkeypatch)
    studied(tmp_path / "halves", 47, monkeypatch)
    tell = PolicyGradient.tell
    monkeypatch.setattr(
        PolicyGradient, "tell", lambda self, t, e: (told.append(t.number), tell(self, t, e))[1]
    )
    halves, resumed = studied(tmp_path / "halves", 70, monkeypatch)
    assert told == list(range(40, 70))
    assert resumed == proposals
    assert updates(halves) == updates(whole)


def test_updates_lost_in_a_kill_are_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after a snapshot, between a told line and the update it brought: that update follows,
    and no other."""
    whole, _ = studied(tmp_path / "s", 50, monkeypatch)
    expected = updates(whole)
    log = tmp_path / "s" / "events.jsonl"
    told = log.read_bytes().splitlines(keepends=True)
    last = max(index for index, line in enumerate(told) if b'"updated"' in line)
    log.write_bytes(b"".join(told[:last]))
    cut, _ = studied(tmp_path / "s", 50, monkeypatch)
    assert (tmp_path / "s" / FILE_NAME).exists()
    assert updates(cut) == expected


def test_a_strategy_without_snapshots_has_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PolicyGradient, "snapshot", lambda self: None)
    studied(tmp_path / "s", 45, monkeypatch)
    assert not (tmp_path / "s" / FILE_NAME).exists()


def test_a_stray_file_beside_a_strategy_without_snapshots_is_ignored(tmp_path: Path) -> None:
    words = ("--trials", "6", "--out", tmp_path / "s", "--json")
    assert run_command("search", *SMALL, *words).code == 0
    log = tmp_path / "s" / "events.jsonl"
    write_snapshot(log, Snapshot(ARRAYS, log.stat().st_size, 0))
    assert read_snapshot(log) is not None
    resumed = run_command("resume", tmp_path / "s", "--trials", "+4", "--json").json
    assert resumed["trials"] == 10
    assert run_command("search", *SMALL, "--trials", "10", "--out", tmp_path / "t").code == 0
    drawn = [
        [line["key"] for line in lines(tmp_path / name) if line["event"] == "asked"]
        for name in "st"
    ]
    assert drawn[0] == drawn[1]
