"""When a study ends, and how it goes on after it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.errors import StudyError
from nas.study import Budget
from nas.study.study import Study
from parts.studies import (
    TINY,
    A,
    B,
    C,
    Judge,
    asked,
    fresh_strategy,
    heard,
    judged,
    kinds,
    lines,
    of_trials,
    run_all,
    story,
    study_of,
    tiny,
    told,
)


def test_the_trial_that_crosses_a_budget_of_seconds_counts(tmp_path: Path) -> None:
    genotypes = [tiny(index // 4, index % 4) for index in range(16)]
    with study_of(tmp_path, genotypes, budget=Budget(seconds=2.5)) as study:
        run_all(study, Judge(TINY))
        assert study.ledger.cost == 3.0
        assert study.ledger.finished == "the budget of 2.5 s of evaluation is spent"


def test_budgets_hold_across_restarts(tmp_path: Path) -> None:
    genotypes = [tiny(index // 4, index % 4) for index in range(16)]
    for _ in range(3):
        with study_of(tmp_path, genotypes, budget=Budget(seconds=4.5)) as study:
            for trial in study.todo(2):
                study.tell(trial.number, judged(study, Judge(TINY), trial))
            study.finish()
    assert study.ledger.cost == 5.0
    assert study.ledger.finished is not None


def test_hours_of_wall_clock_hold_across_restarts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_000_000.0]
    monkeypatch.setattr("nas.study.study.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("nas.study.study.time.time", lambda: clock[0])
    genotypes = [tiny(index // 4, index % 4) for index in range(16)]
    for session in range(2):
        clock[0] += 50_000.0  # nobody searches between two sessions
        with study_of(tmp_path, genotypes, budget=Budget(hours=1.0)) as study:
            while (trial := study.ask()) is not None and len(heard(study)) < 2 + 9 * session:
                clock[0] += 900.0
                told(study, trial)
            study.finish()
    assert study.ledger.finished == "the 1 h of wall clock are over"
    assert study.ledger.counts["evaluated"] == 4
    assert study.ledger.wall_seconds == 3600.0


def test_a_clock_that_is_set_back_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_000_000.0]
    monkeypatch.setattr("nas.study.study.time.time", lambda: clock[0])
    with study_of(tmp_path, [A, B]) as study:
        clock[0] -= 500_000.0
        told(study, asked(study))
        assert study.ledger.wall_seconds == 0.0
    with study_of(tmp_path, [A, B]) as study:
        clock[0] += 7.0
        told(study, asked(study))
        assert study.ledger.wall_seconds == 7.0


def test_a_finished_study_can_be_extended(tmp_path: Path) -> None:
    genotypes = [A, B, C]
    for count in (1, 1, 3):
        with study_of(tmp_path, genotypes, budget=of_trials(count)) as study:
            run_all(study, Judge(TINY))
        assert study.ledger.counts["asked"] == count
    names = kinds(tmp_path)
    assert names.count("finished") == 2
    assert names.count("extended") == 1
    assert names.count("started") == 2  # the second opening found nothing to begin


def test_the_sequence_does_not_depend_on_the_budget(tmp_path: Path) -> None:
    for name, budgets in (("once", (11,)), ("often", (3, 6, 11))):
        (tmp_path / name).mkdir()
        for budget in budgets:
            with Study(
                tmp_path / name, fresh_strategy("evolution"), budget=of_trials(budget)
            ) as study:
                run_all(study, Judge(TINY))
    assert story(lines(tmp_path / "once")) == story(lines(tmp_path / "often"))


def test_a_study_needs_a_budget(tmp_path: Path) -> None:
    for budget in (None, Budget()):
        with pytest.raises(
            StudyError, match="a study needs a budget: trials, seconds of evaluation or hours"
        ):
            study_of(tmp_path, [A], budget=budget)
    assert (tmp_path / "events.jsonl").read_bytes() == b""


def test_an_exhausted_space_ends_the_study(tmp_path: Path) -> None:
    for _ in range(2):
        with study_of(tmp_path, [A, B]) as study:
            run_all(study, Judge(TINY))
            assert study.ledger.finished == "every architecture of the space has been proposed"
