"""Who is asked, who is told, what duplicates and failures come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nas.contracts import Evaluation, Failure, Proposal, Stopped, Trial
from nas.errors import StudyError
from nas.seeding import derive
from nas.study import Rules
from nas.study.study import NUMBERS_WITHOUT_COST, Study
from parts.studies import (
    TINY,
    A,
    B,
    C,
    Judge,
    Listed,
    asked,
    heard,
    kinds,
    lines,
    no_limit,
    of_trials,
    run_all,
    story,
    study_of,
    tiny,
    told,
)
from search_spaces.cells.genotype import Genotype

# ------------------------------------------------------------------ one trial


def test_a_trial_is_in_the_log_before_it_runs_and_a_result_before_the_strategy_hears_it(
    tmp_path: Path,
) -> None:
    class Witness(Listed):
        def tell(self, trial: Trial, evaluation: Evaluation) -> None:
            assert kinds(tmp_path)[-1] == "told"
            super().tell(trial, evaluation)

    with Study(tmp_path, Witness([A]), seed=3, budget=of_trials(5)) as study:
        trial = asked(study)
        assert kinds(tmp_path) == ["started", "asked", "attempted"]
        assert trial.seed == derive(3, "trial", 0)
        told(study, trial)
        assert heard(study) == [(0, 0.5)]


def test_notes_come_back(tmp_path: Path) -> None:
    class Noting(Listed):
        def ask(self, number: int) -> Proposal:
            return Proposal(A, {"remember": [number, None]})

    with Study(tmp_path, Noting([]), budget=of_trials(1)) as study:
        assert asked(study).notes == {"remember": [0, None]}


def test_a_trial_ends_once(tmp_path: Path) -> None:
    with study_of(tmp_path, [A]) as study:
        told(study, asked(study))
        with pytest.raises(
            StudyError, match="trial 0 is not open: it was never asked, or has ended already"
        ):
            told(study, Trial(0, A, 0))
        with pytest.raises(StudyError, match="trial 7 is not open"):
            told(study, Trial(7, A, 0))


def test_an_open_trial_runs_again_with_the_same_seed(tmp_path: Path) -> None:
    with study_of(tmp_path, [A, B]) as study:
        first = asked(study)
    with study_of(tmp_path, [A, B]) as study:
        assert asked(study) == first
        assert lines(tmp_path)[-1]["attempt"] == 2
        assert asked(study).number == 1


def test_steps_of_an_earlier_attempt_are_told_apart(tmp_path: Path) -> None:
    for _ in range(2):
        with study_of(tmp_path, [A]) as study:
            assert study.progress(asked(study).number, 1, {"score": 0.1})
    assert [event["attempt"] for event in lines(tmp_path) if event["event"] == "progressed"] == [
        1,
        2,
    ]


# ------------------------------------------------------------------ duplicates


def test_reuse_tells_the_known_score_at_no_cost_and_counts(tmp_path: Path) -> None:
    with study_of(tmp_path, [A, A, B, A], Rules(repeats="charged"), budget=of_trials(4)) as study:
        judge = Judge(TINY)
        run_all(study, judge)
        assert judge.judged == [A, B]
        assert [number for number, _ in heard(study)] == [0, 1, 2, 3]
        assert heard(study)[0][1] == heard(study)[1][1] == heard(study)[3][1]
        assert study.ledger.cost == 2.0
        assert study.ledger.counts == {"asked": 4, "evaluated": 2, "reused": 2}
        assert study.ledger.finished == "all 4 trials are done"
    copies = [event for event in lines(tmp_path) if "reused" in event]
    assert [(event["number"], event["reused"], event["seconds"]) for event in copies] == [
        (1, 0, 0.0),
        (3, 0, 0.0),
    ]


def test_a_budget_of_trials_buys_evaluations(tmp_path: Path) -> None:
    with study_of(tmp_path, [A, A, B, A, C, A], budget=of_trials(3)) as study:
        judge = Judge(TINY)
        run_all(study, judge)
        assert judge.judged == [A, B, C]
        assert study.ledger.counts == {"asked": 5, "evaluated": 3, "reused": 2}
        assert study.ledger.bought_trials == study.ledger.ended_trials == 3
        assert study.ledger.finished == "all 3 trials are done"


def test_a_duplicate_of_an_open_trial_is_bought_once(tmp_path: Path) -> None:
    with study_of(tmp_path, [A, A, B, C], budget=of_trials(2)) as study:
        first, second = asked(study), asked(study)
        assert (study.ledger.bought_trials, study.ledger.ended_trials) == (2, 0)
        assert study.ask() is None
        told(study, first)
        assert study.ledger.ended_trials == 1
        told(study, second)
        assert study.finish() == "all 2 trials are done"


def test_a_failure_is_bought_and_its_duplicate_is_not(tmp_path: Path) -> None:
    with study_of(tmp_path, [A, A, B, C], Rules(retries=0), budget=of_trials(2)) as study:
        study.tell(asked(study).number, Failure("diverged", "nan"))
        told(study, asked(study))
        assert study.finish() == "all 2 trials are done"
        assert study.ledger.counts == {"asked": 3, "failed": 2, "evaluated": 1}


def test_a_duplicate_of_an_open_trial_is_told_when_that_one_is(tmp_path: Path) -> None:
    with study_of(tmp_path, [A, A, A, B]) as study:
        first, second = asked(study), asked(study)
        assert (first.number, second.number) == (0, 3)
        assert heard(study) == []
        told(study, second, 0.1)
        told(study, first, 0.9)
        assert heard(study) == [(3, 0.1), (0, 0.9), (1, 0.9), (2, 0.9)]


def test_a_duplicate_of_an_open_trial_survives_a_crash(tmp_path: Path) -> None:
    with study_of(tmp_path, [A, A, B]) as study:
        asked(study), asked(study)
    with study_of(tmp_path, [A, A, B]) as study:
        run_all(study, Judge(TINY))
        assert [number for number, _ in heard(study)] == [0, 1, 2]
    assert len(story(lines(tmp_path))) == 3


def test_a_duplicate_of_a_failure_fails_alike(tmp_path: Path) -> None:
    with study_of(tmp_path, [A, A], Rules(retries=0)) as study:
        study.tell(asked(study).number, Failure("diverged", "nan", 2.0))
        assert study.ask() is None
        assert study.ledger.counts == {"asked": 2, "failed": 2}
        assert study.ledger.cost == 2.0
        assert heard(study) == []


def test_retrain_evaluates_again_with_another_seed(tmp_path: Path) -> None:
    with study_of(tmp_path, [A, A], Rules(duplicates="retrain"), budget=of_trials(2)) as study:
        run_all(study, Judge(TINY))
        assert study.ledger.counts == {"asked": 2, "evaluated": 2}
        assert study.ledger.cost == 2.0
    seeds = [event["seed"] for event in lines(tmp_path) if event["event"] == "asked"]
    assert len(set(seeds)) == 2


def test_skipped_numbers_count_in_no_budget(tmp_path: Path) -> None:
    with study_of(
        tmp_path, [A, A, A, B, C], Rules(duplicates="resample"), budget=of_trials(2)
    ) as study:
        run_all(study, Judge(TINY))
        assert [number for number, _ in heard(study)] == [0, 3]
        assert study.ledger.counts == {"asked": 2, "evaluated": 2, "skipped": 2}
    assert [e["reason"] for e in lines(tmp_path) if e["event"] == "skipped"] == [
        "duplicate of trial 0"
    ] * 2


def test_a_violated_constraint_is_skipped_with_its_reason(tmp_path: Path) -> None:
    def forbid(genotype: Genotype) -> str | None:
        return "params 9 > 5" if genotype == A else None

    with study_of(tmp_path, [A, B, A], constraint=forbid) as study:
        run_all(study, Judge(TINY))
        assert [number for number, _ in heard(study)] == [1]
        assert study.ledger.counts["skipped"] == 2
    assert {e["reason"] for e in lines(tmp_path) if e["event"] == "skipped"} == {"params 9 > 5"}


@pytest.mark.parametrize("duplicates", ["reuse", "resample"])
def test_a_thousand_numbers_without_cost_end_the_study(tmp_path: Path, duplicates: Any) -> None:
    with study_of(
        tmp_path, [A] * 3000, Rules(duplicates=duplicates), budget=no_limit(), sync="grouped"
    ) as study:
        run_all(study, Judge(TINY))
        assert study.ledger.next_number == NUMBERS_WITHOUT_COST + 1
        assert study.ledger.finished == "1,000 proposals in a row brought no new evaluation"
    with study_of(
        tmp_path, [A] * 1500 + [B], Rules(duplicates=duplicates), budget=of_trials(9000)
    ) as study:
        run_all(study, Judge(TINY))  # extended: another thousand
        assert study.ledger.counts["evaluated"] == 2


# ------------------------------------------------------------------ failures and stops


def test_a_failure_is_tried_again_and_then_recorded(tmp_path: Path) -> None:
    with study_of(tmp_path, [A], Rules(retries=2)) as study:
        for attempt in (1, 2, 3):
            trial = asked(study)
            assert trial.number == 0
            assert [e["attempt"] for e in lines(tmp_path) if e["event"] == "attempted"][
                -1
            ] == attempt
            study.tell(0, Failure("out_of_memory", "no room", 1.5))
        assert study.ledger.counts == {"asked": 1, "retried": 2, "failed": 1}
        assert study.ledger.failure_kinds == {"out_of_memory": 1}
        assert study.ledger.cost == 4.5
        assert heard(study) == []
    retried = [event["after"]["kind"] for event in lines(tmp_path) if "after" in event]
    assert retried == ["out_of_memory"] * 2


def test_retries_are_counted_across_restarts(tmp_path: Path) -> None:
    for _ in range(3):
        with study_of(tmp_path, [A], Rules(retries=2)) as study:
            study.tell(asked(study).number, Failure("worker_lost", "gone"))
    assert kinds(tmp_path).count("failed") == 1


def test_a_failure_may_count_as_a_score(tmp_path: Path) -> None:
    with study_of(tmp_path, [A], Rules(retries=0, failure_score=-2.0)) as study:
        study.tell(asked(study).number, Failure("timeout", "late"))
        assert heard(study) == [(0, -2.0)]
        assert study.ledger.best is None


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("worst", [(1, 0.4), (2, 0.7), (3, 0.4)]), ("ignore", [(1, 0.4), (2, 0.7)])],
)
def test_a_stopped_trial_is_told_as_the_worst_full_one(
    tmp_path: Path, rule: Any, expected: Any
) -> None:
    with study_of(tmp_path, [C, A, B, tiny(3, 3)], Rules(stopped_as=rule)) as study:
        study.tell(asked(study).number, Stopped(1, 0.9, {}, 1.0))  # nothing to compare with yet
        told(study, asked(study), 0.4)
        told(study, asked(study), 0.7)
        study.tell(asked(study).number, Stopped(2, 0.95, {}, 1.0))
        assert heard(study) == expected
        assert study.ledger.best is not None
        assert study.ledger.best.score == 0.7
        assert study.ledger.counts["stopped"] == 2
