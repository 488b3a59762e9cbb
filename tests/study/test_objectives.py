"""Several objectives: what is written, what a strategy hears, and what a kill costs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nas.contracts import Evaluation, Failure, Stopped
from nas.study import Rules
from nas.study.study import Study
from nas.testing.strategy_promises import Odd
from parts.studies import (
    STRATEGIES,
    A,
    B,
    C,
    Judge,
    fresh_strategy,
    judged,
    lines,
    of_trials,
    story,
    study_of,
)

TRIALS = 24
SPACE = Odd()


def weigh(evaluation: Evaluation) -> Evaluation | Failure:
    """Two objectives: the score, and against it how often it is tried."""
    if "seed" not in evaluation.metrics:
        return Failure("error", "it lacks 'seed'", evaluation.seconds)
    point = (evaluation.score, -float(evaluation.metrics["seed"]))
    return Evaluation(point[0], evaluation.metrics, evaluation.seconds, point)


def opened(folder: Path, spoken: str, lag: int | None = None) -> Study:
    folder.mkdir(exist_ok=True)
    strategy = fresh_strategy(spoken, SPACE)
    rules = Rules(lag=lag)
    return Study(folder, strategy, seed=5, rules=rules, budget=of_trials(TRIALS), weigh=weigh)


def run(study: Study, trials: int | None = None) -> None:
    for trial in study.todo(trials):
        study.tell(trial.number, judged(study, Judge(study.strategy.space), trial))
    study.finish()


def test_the_log_says_all_objectives_and_the_front_follows_from_it(tmp_path: Path) -> None:
    with opened(tmp_path, "random-search") as study:
        run(study)
        front = {owner.trial.number for _, owner in study.ledger.front}
    told = {e["number"]: e["objectives"] for e in lines(tmp_path) if e["event"] == "told"}
    assert len(told) >= TRIALS
    for number, point in told.items():
        better = [o for o in told.values() if o != point and o[0] >= point[0] and o[1] >= point[1]]
        assert not (better and number in front)
        assert better or number in front or point in [told[other] for other in front]


def test_of_equal_scores_the_best_is_on_the_front(tmp_path: Path) -> None:
    """So the winner is never a trial that another beats at no loss."""

    def coarsely(evaluation: Evaluation) -> Evaluation:
        point = (evaluation.score // 4, -float(evaluation.metrics["seed"]))
        return Evaluation(point[0], evaluation.metrics, evaluation.seconds, point)

    strategy, changes = fresh_strategy("random-search", SPACE), 0
    with Study(tmp_path, strategy, seed=5, budget=of_trials(TRIALS), weigh=coarsely) as study:
        for trial in study.todo():
            before = study.ledger.best
            study.tell(trial.number, judged(study, Judge(study.strategy.space), trial))
            best = study.ledger.best
            assert best is not None
            assert best.trial.number in {owner.trial.number for _, owner in study.ledger.front}
            assert best.score == max(point[0] for point, _ in study.ledger.front)
            changes += before is not None and before.score == best.score and before is not best
    assert changes  # equal scores were met


def test_a_study_with_one_objective_says_nothing_of_several(tmp_path: Path) -> None:
    with study_of(tmp_path, [A]) as study:
        run(study)
        assert not study.ledger.front
    assert all("objectives" not in event for event in lines(tmp_path))


def test_a_trial_without_a_metric_fails_and_says_which(tmp_path: Path) -> None:
    with study_of(tmp_path, [A], Rules(retries=0), weigh=weigh) as study:
        study.tell(next(study.todo()).number, Evaluation(1.0, {}, 2.0))
    (failed,) = [event for event in lines(tmp_path) if event["event"] == "failed"]
    assert (failed["message"], failed["seconds"]) == ("it lacks 'seed'", 2.0)


def test_a_stopped_trial_is_heard_of_as_the_worst_of_each_objective(tmp_path: Path) -> None:
    heard: list[Evaluation] = []
    with study_of(tmp_path, [A, B, C], weigh=weigh) as study:
        study.strategy.tell = lambda _, evaluation: heard.append(evaluation)  # type: ignore[method-assign]
        outcomes: Iterator[Any] = iter(
            [Evaluation(1.0, {"seed": 2}), Evaluation(0.5, {"seed": 1}), Stopped(1, 9.0)]
        )
        for trial in study.todo():
            study.tell(trial.number, next(outcomes))
    assert [evaluation.objectives for evaluation in heard] == [(1.0, -2), (0.5, -1), (0.5, -2.0)]


def test_files_of_all_on_the_front_stay(tmp_path: Path) -> None:
    with study_of(tmp_path, [A, B, C], weigh=weigh) as study:
        assert study.would_keep(-1e9), "what a trial is worth besides its score is not known"
        for trial, seed in zip(study.todo(), (3, 1, 2), strict=True):
            kept = study.workdir(trial.number) / "keep"
            kept.mkdir(parents=True)
            (kept / "weights").write_text("")
            study.tell(trial.number, Evaluation(float(-trial.number), {"seed": seed}))
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["0", "1"]


@pytest.mark.parametrize("spoken", STRATEGIES)
@pytest.mark.parametrize("lag", [None, 3])
def test_a_killed_study_goes_on_as_if_it_had_lived(
    tmp_path: Path, spoken: str, lag: int | None
) -> None:
    with opened(tmp_path / "whole", spoken, lag) as study:
        run(study)
    for trials in itertools.repeat(5, 9):
        with opened(tmp_path / "killed", spoken, lag) as study:
            run(study, trials)
            if study.is_over:
                break
            study.ask()  # a trial that nobody ends
    assert story(lines(tmp_path / "killed")) == story(lines(tmp_path / "whole"))
