"""Deterministic studies: the same log on any number of workers, and after any interruption."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from nas.contracts import Evaluation, Failure, Outcome, Trial
from nas.errors import SettingsError
from nas.search.words import assignment
from nas.study import Rules
from nas.study.attempt import attempt
from nas.study.study import Study
from parts.studies import TINY, Judge, Listed, fresh_strategy, lines, no_limit, of_trials, tiny

TRIALS, LAG = 12, 4
CLOCKS = ("time", "strategy_seconds", "check")


def rules(**more: Any) -> Rules:
    return Rules(lag=LAG, **more)


def opened(folder: Path, *, spoken: str = "evolution", trials: int = TRIALS, **more: Any) -> Study:
    folder.mkdir(exist_ok=True)
    return Study(
        folder, fresh_strategy(spoken), seed=5, rules=rules(**more), budget=of_trials(trials)
    )


def comparable(folder: Path) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in event.items() if name not in CLOCKS}
        for event in lines(folder)
    ]


def run_in_order(
    study: Study, places: int, picks: Iterator[int], stop_after: int | None = None
) -> None:
    """Run as a pool of `places` workers would, whose results arrive in the order that `picks`
    says."""
    judge = Judge(TINY, steps=2, fails=5)
    flying: list[Trial] = []
    told = 0
    while True:
        while len(flying) < places and (trial := study.ask()) is not None:
            flying.append(trial)
        if not flying:
            break
        trial = flying.pop(next(picks, 0) % len(flying))
        number = trial.number
        outcome = attempt(
            judge, trial, study.workdir(number), lambda s, m, n=number: study.progress(n, s, m)
        )  # type: ignore[misc]
        study.tell(number, untimed(outcome))
        told += 1
        if told == stop_after:
            study.stop()
    study.finish()


def untimed(outcome: Outcome) -> Outcome:
    """What a failure took is a clock, and its traceback is long."""
    return (
        Failure(outcome.kind, outcome.message.splitlines()[0], 1.0)
        if isinstance(outcome, Failure)
        else outcome
    )


def whole_log(tmp_path: Path) -> list[dict[str, Any]]:
    with opened(tmp_path / "one") as study:
        run_in_order(study, 1, iter(()))
    return comparable(tmp_path / "one")


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(places=some.integers(2, 7), picks=some.lists(some.integers(0, 6), max_size=30))
def test_the_log_is_the_same_for_any_order_of_arrival(
    tmp_path_factory: pytest.TempPathFactory, places: int, picks: list[int]
) -> None:
    base = tmp_path_factory.mktemp("study")
    with opened(base / "many") as study:
        run_in_order(study, places, iter(picks))
    assert comparable(base / "many") == whole_log(base)
    assert list((base / "many" / "pending").glob("*.json")) == []


def test_a_proposal_follows_the_results_up_to_its_lag_and_no_later_one(tmp_path: Path) -> None:
    with opened(tmp_path, spoken="random-search", duplicates="retrain") as study:
        run_in_order(study, 3, iter(range(100)))
    ends: list[int] = []
    for event in lines(tmp_path):
        if event["event"] == "asked":
            assert len(ends) == max(0, event["number"] - LAG + 1)
        elif event["event"] in ("told", "failed"):
            ends.append(event["number"])
    assert ends == list(range(TRIALS)), "in the order of the trials"


def test_an_early_result_waits_on_disk_and_survives_the_driver(tmp_path: Path) -> None:
    with opened(tmp_path, duplicates="retrain") as study:
        trials = [study.ask() for _ in range(3)]
        assert all(trials)
        study.progress(2, 1, {"score": 0.5})
        study.tell(2, Evaluation(7.0, {}, 1.0))
        assert json.loads((tmp_path / "pending" / "2.json").read_text())["number"] == 2
        assert [event["event"] for event in lines(tmp_path)].count("told") == 0
    with opened(tmp_path, duplicates="retrain") as study:
        again = [trial.number for trial in iter(study.ask, None)]
        assert again == [0, 1, 3], "trial 2 is not run again"
        for number in (0, 1):
            study.tell(number, Evaluation(1.0, {}, 1.0))
        log = lines(tmp_path)
    ended = {event["number"]: event["score"] for event in log if event["event"] == "told"}
    assert ended == {0: 1.0, 1: 1.0, 2: 7.0}
    assert [event["step"] for event in log if event["event"] == "progressed"] == [1]
    assert not (tmp_path / "pending" / "2.json").exists()


@pytest.mark.parametrize("stop_after", range(1, TRIALS, 3))
def test_a_study_stopped_and_resumed_is_the_same_study(tmp_path: Path, stop_after: int) -> None:
    with opened(tmp_path / "stopped") as study:
        run_in_order(study, 4, iter([3, 2, 1] * 20), stop_after)
    with opened(tmp_path / "stopped") as study:
        run_in_order(study, 2, iter([1, 0] * 20))
    assert story_of(comparable(tmp_path / "stopped")) == story_of(whole_log(tmp_path))


@pytest.mark.parametrize("spoken", ["evolution", "policy-gradient"])
def test_a_log_cut_anywhere_ends_alike(tmp_path: Path, spoken: str) -> None:
    with opened(tmp_path / "whole", spoken=spoken, trials=8) as study:
        run_in_order(study, 3, iter([2, 1] * 20))
    whole = (tmp_path / "whole" / "events.jsonl").read_bytes()
    ends = [position + 1 for position, byte in enumerate(whole) if byte == ord("\n")]
    for end in ends[:-1:5]:
        folder = tmp_path / f"cut{end}"
        folder.mkdir()
        (folder / "events.jsonl").write_bytes(whole[:end])
        with opened(folder, spoken=spoken, trials=8) as study:
            run_in_order(study, 2, iter([1] * 40))
        assert story_of(comparable(folder)) == story_of(comparable(tmp_path / "whole"))


def story_of(events: Iterable[dict[str, Any]]) -> list[Any]:
    """What was proposed and how it ended, in this order; sessions and repeated attempts left
    out."""
    kinds = ("asked", "skipped", "told", "failed", "updated")
    return [event for event in events if event["event"] in kinds]


def test_a_retried_trial_keeps_its_place(tmp_path: Path) -> None:
    with Study(
        tmp_path, Listed([tiny(0, n) for n in range(3)]), rules=rules(retries=2), budget=no_limit()
    ) as study:
        for number in range(3):
            assert study.ask() is not None, number
        study.tell(1, Failure("worker_lost", "gone", 1.0))
        assert study.ask() is not None, "trial 1 runs again at once"
        study.tell(1, Evaluation(2.0))
        assert "told" not in {event["event"] for event in lines(tmp_path)}
        study.tell(0, Evaluation(1.0))
    log = [
        (event["event"], event.get("attempt"))
        for event in lines(tmp_path)
        if event.get("number") == 1
    ]
    assert log == [("asked", None), ("attempted", 1), ("attempted", 2), ("told", None)]


def test_a_pending_file_of_something_else_is_not_believed(tmp_path: Path) -> None:
    with opened(tmp_path) as study:
        assert study.ask() is not None
    (tmp_path / "pending").mkdir()
    for number, text in enumerate(
        ("{", '{"number": 1, "seed": 0, "key": "x", "attempts": []}', "null")
    ):
        (tmp_path / "pending" / f"{number}.json").write_text(text)
    with opened(tmp_path) as study:
        first = study.ask()
        assert first is not None
        assert first.number == 0


def test_idle_places_are_counted(tmp_path: Path) -> None:
    with opened(tmp_path) as study:
        while study.ask() is not None:
            pass
        study.free(2)
        study.free(0)
        assert study.idle_seconds > 0
    with opened(tmp_path) as study:
        study.stop()
        study.free(2)
        study.free(0)
        assert study.idle_seconds == 0, "whoever stops waits for nothing"


def planned(**study: Any) -> Rules:
    tree = {"space": {"name": "ladder"}, "evaluator": {"name": "landscape"}, "study": study}
    return assignment(tree).plan.rules


def test_deterministic_on_the_command_line() -> None:
    assert planned().lag is None
    assert planned(deterministic=True).lag == 8
    assert planned(deterministic=True, lag=3).lag == 3
    with pytest.raises(
        SettingsError,
        match="lag means something only in a deterministic study: add --deterministic",
    ):
        planned(lag=3)
