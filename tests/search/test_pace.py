"""How fast a study goes, how much is left, and whether it runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from nas.search.pace import clock_text, pace_of, pace_text
from nas.study import Budget, Rules
from nas.study.ledger import Ledger
from nas.study.store import Store, is_being_written
from parts.command_line import SMALL, ended, nas, started
from parts.studies import A, B, C, asked, study_of, told


def ledger_of_two(folder: Path, budget: Budget) -> Ledger:
    """Two trials of five seconds each have ended, a third is open."""
    folder.mkdir(exist_ok=True)
    with study_of(folder, (A, B, C), Rules(), budget=budget) as study:
        for _ in range(2):
            told(study, asked(study), seconds=5.0)
        asked(study)
        return study.ledger


def test_a_pace_counts_trials_seconds_and_hours(tmp_path: Path) -> None:
    ledger = ledger_of_two(tmp_path / "a", Budget(trials=10))
    pace = pace_of(ledger, ledger.session.began + 20)
    assert (pace.share, pace.trials_left, pace.seconds_a_trial) == (0.2, 8, 10.0)
    assert pace.seconds_left == pytest.approx(80)

    ledger = ledger_of_two(tmp_path / "b", Budget(seconds=40, hours=1))
    pace = pace_of(ledger, ledger.session.began + 20)
    assert (pace.share, pace.trials_left) == (0.25, None)
    assert pace.seconds_left == pytest.approx(60)  # sooner than the hour


def test_what_an_earlier_session_did_is_no_pace_of_this_one(tmp_path: Path) -> None:
    ledger_of_two(tmp_path, Budget(trials=10))
    with study_of(tmp_path, (A, B, C), budget=None) as study:
        began = study.ledger.session.began
        pace = pace_of(study.ledger, began + 20)
        assert (pace.share, pace.seconds_a_trial, pace.seconds_left) == (0.2, None, None)
        told(study, asked(study))
        pace = pace_of(study.ledger, began + 30)
        assert (pace.seconds_a_trial, pace.seconds_left) == (30.0, pytest.approx(210))


def test_paces_and_clocks_as_people_say_them() -> None:
    assert [pace_text(s) for s in (12.64, 0.5, 0.02, 1234.4)] == [
        "12.6 s a trial", "0.5 s a trial", "50 trials a second", "1,234 s a trial",
    ]  # fmt: skip
    assert [clock_text(s) for s in (65, 3725)] == ["1:05", "1:02:05"]


def test_a_log_is_being_written_while_its_store_is_open(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    assert not is_being_written(log)
    with Store(log):
        assert is_being_written(log)
    assert not is_being_written(log)


def test_status_of_a_running_search_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    slow = ("--set", "evaluator.delay_seconds=0.1", "--trials", "1000")
    process = started("search", *SMALL, *slow, "--out", folder)
    try:
        deadline = time.monotonic() + 60
        while b'"told"' not in _content(folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        facts = nas("status", folder, "--json").json
        assert facts["running"] is True
        assert facts["pace"]["seconds_a_trial"] > 0.1
        assert 900 < facts["pace"]["trials_left"] < 1000
        text = nas("status", folder).out
        checked = nas("status", folder, "--check").out
    finally:
        process.terminate()
    assert "1 being evaluated, running" in text
    assert "it is being written: this is about its lines up to 20" in checked
    assert "a trial" in text or "trials a second" in text
    assert " left, about " in text
    assert ", until 20" in text

    assert ended(process).code == 3
    after = nas("status", folder)
    assert after.code == 0
    assert "running" not in after.out


def _content(folder: Path) -> bytes:
    log = folder / "events.jsonl"
    return log.read_bytes() if log.exists() else b""
