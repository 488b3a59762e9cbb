"""What a log amounts to: a pure function of its events, in little memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from nas.registry import load
from nas.search.reading import ranked
from nas.study import Budget, Rules
from nas.study.ledger import Ledger
from nas.study.store import read_events
from nas.study.study import Study
from parts.studies import (
    STRATEGIES,
    TINY,
    A,
    B,
    C,
    Judge,
    asked,
    fresh_strategy,
    of_trials,
    run_all,
    study_of,
    tiny,
    told,
)


def folded(folder: Path, rules: Rules) -> Ledger:
    ledger = Ledger(rules)
    for offset, event in read_events(folder / "events.jsonl"):
        ledger.apply(event, offset)
    return ledger


def state(ledger: Ledger) -> str:
    names = (
        "counts",
        "failure_kinds",
        "next_number",
        "cost",
        "idle",
        "known",
        "ended_at",
        "top",
        "worst",
        "budget",
        "finished",
        "updates",
        "opened",
        "wall_seconds",
    )
    return (
        repr([getattr(ledger, name) for name in names])
        + repr(sorted(ledger.open))
        + repr(ledger.incumbents)
    )


@pytest.mark.parametrize("spoken", STRATEGIES)
@pytest.mark.parametrize("duplicates", ["reuse", "retrain"])
def test_read_again_it_is_what_it_was(tmp_path: Path, spoken: str, duplicates: str) -> None:
    rules = Rules(
        duplicates="reuse" if duplicates == "reuse" else "retrain", failure_score=-1.0, keep=3
    )
    with Study(tmp_path, fresh_strategy(spoken), rules=rules, budget=of_trials(11)) as study:
        run_all(study, Judge(TINY, fails=5))
        asked_once = study.ask()
    assert asked_once is None
    assert state(folded(tmp_path, rules)) == state(study.ledger)


def test_incumbents_are_the_best_so_far(tmp_path: Path) -> None:
    with study_of(tmp_path, [A, B, C, tiny(3, 3)]) as study:
        for score in (0.3, 0.2, 0.5, 0.5):
            told(study, asked(study), score, seconds=2.0)
        assert [(i.trial.number, i.score, i.cost) for i in study.ledger.incumbents] == [
            (0, 0.3, 2.0),
            (2, 0.5, 6.0),
        ]
        assert study.ledger.best is study.ledger.incumbents[-1]
        assert study.ledger.worst == (0.2,)  # of each objective


def test_of_equal_scores_the_earliest_is_best(tmp_path: Path) -> None:
    with study_of(tmp_path, [A, B, C], Rules(keep=2)) as study:
        for score in (0.5, 0.5, 0.5):
            told(study, asked(study), score)
        assert study.ledger.best is not None
        assert study.ledger.best.trial.number == 0
        assert study.ledger.top == [(0.5, 0), (0.5, 1)]


def test_of_equal_scores_that_several_workers_find_the_one_told_first_is_best_everywhere(
    tmp_path: Path,
) -> None:
    with study_of(tmp_path, [A, B, C], Rules(keep=2)) as study:
        trials = [asked(study) for _ in range(3)]
        for trial in reversed(trials):
            told(study, trial, 0.5)
        assert study.ledger.best is not None
        assert study.ledger.best.trial.number == 2
        assert study.ledger.top == [(0.5, 2), (0.5, 1)]
    assert [question["number"] for _, question, _, _ in ranked(tmp_path, 3)] == [2, 1, 0]


def test_finals_are_only_in_the_log_once_opened(tmp_path: Path) -> None:
    with study_of(tmp_path, [A], budget=of_trials(1)) as study:
        run_all(study, Judge(TINY))
        assert study.ledger.opened == {}
        study.record_final(0, {"test": 0.5})
    assert folded(tmp_path, study.rules).opened == {0: {"test": 0.5}}


@pytest.mark.parametrize(
    "budget", [{"trials": 0}, {"trials": -1}, {"seconds": float("inf")}, {"hours": float("nan")}]
)
def test_a_budget_is_more_than_nothing(budget: dict[str, float]) -> None:
    with pytest.raises(
        ValueError if not budget else Exception,
        match=r"a budget of .* makes no study: expected more than 0",
    ):
        Budget(**budget)  # type: ignore[arg-type]


def test_a_trial_leaves_little_in_memory(tmp_path: Path) -> None:
    """Below 1 KiB, though all genotypes are different. (Nodes of cells are shared, so here are
    none.)"""
    decisions = {f"decision {index}": list(range(13)) for index in range(50)}
    strategy = load("strategy", "random-search")(load("space", "table")(decisions=decisions), 0)
    with Study(tmp_path, strategy, budget=of_trials(1_500), sync="grouped") as study:
        run_some(study, 500)
        tracemalloc.start()
        run_some(study, 1_000)
        grown = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    assert grown / 1_000 < 1_024


def run_some(study: Study, count: int) -> None:
    for trial in study.todo(count):
        told(study, trial, -trial.number / 1e4)  # the first stays the best
