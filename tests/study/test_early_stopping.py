"""The stopping rules: a pure fold over the log, so that a study that was away decides as if it had
not been."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nas.contracts import Evaluation, Failure, Stopped, Trial
from nas.errors import SettingsError
from nas.study import Budget, Rules
from nas.study.attempt import attempt
from nas.study.early_stopping import EarlyStopping, early_stopping
from nas.study.ledger import Ledger
from nas.study.store import read_events
from nas.study.study import Study
from parts.studies import TINY, Judge, Listed, fresh_strategy, judged, lines, no_limit, tiny

ASHA = Rules(early_stop="asha", reduction=2.0)
MEDIAN = Rules(early_stop="median", grace_steps=2, grace_trials=2)

Event = dict[str, Any]


def attempted(number: int) -> Event:
    return {"event": "attempted", "number": number}


def report(number: int, step: int, score: float | None) -> Event:
    return {"event": "progressed", "number": number, "step": step, "metrics": {"score": score}}


def ended(number: int, how: str = "told") -> Event:
    return {"event": how, "number": number}


def verdicts(rule: EarlyStopping, events: Sequence[Event]) -> list[bool]:
    return [rule.hear(event) for event in events]


def test_asha_lets_the_best_half_of_each_rung_go_on() -> None:
    first_rung = [
        report(number, 1, score) for number, score in enumerate((0.5, 0.4, 0.6, 0.7, 0.1, 0.6))
    ]
    assert verdicts(early_stopping(ASHA), first_rung) == [True, False, True, True, False, True]


def test_asha_judges_at_rungs_only_and_at_the_first_report_behind_one() -> None:
    rule = early_stopping(ASHA)
    assert rule.hear(report(0, 4, 0.9))
    assert rule.hear(report(1, 3, 0.1)), "the first that came to the second rung"
    assert not rule.hear(report(1, 4, 0.1)), "the third rung, where another was better"
    assert rule.hear(report(1, 5, 0.0)), "between rungs nobody is judged"


def test_median_compares_with_those_that_ended_in_full() -> None:
    rule = early_stopping(MEDIAN)
    for number, score in enumerate((0.5, 0.9)):
        verdicts(rule, [report(number, step, score) for step in (1, 2, 3)])
        rule.hear(ended(number))
    assert rule.hear(report(2, 1, 0.0)), "a grace of two steps"
    assert not rule.hear(report(2, 2, 0.6)), "the median of 0.5 and 0.9 is 0.7"
    assert rule.hear(report(3, 2, 0.7))


def test_median_waits_for_full_trials() -> None:
    rule = early_stopping(MEDIAN)
    verdicts(rule, [report(0, 2, 1.0), ended(0), report(1, 2, 1.0), ended(1, "stopped")])
    assert rule.hear(report(2, 2, 0.0)), "one ended in full, two are wanted"


@pytest.mark.parametrize("rules", [ASHA, MEDIAN], ids=lambda rules: rules.early_stop)
@pytest.mark.parametrize("lost", [None, math.nan, math.inf])
def test_a_score_that_is_no_number_never_goes_on(rules: Rules, lost: float | None) -> None:
    assert not early_stopping(rules).hear(report(0, 1, lost))


@pytest.mark.parametrize("rules", [ASHA, MEDIAN], ids=lambda rules: rules.early_stop)
def test_nothing_is_judged_without_a_score(rules: Rules) -> None:
    assert early_stopping(rules).hear(
        {"event": "progressed", "number": 0, "step": 1, "metrics": {"loss": 3}}
    )


def test_at_its_last_step_a_trial_is_complete_and_not_stopped() -> None:
    rule = early_stopping(ASHA, last_step=4)
    assert verdicts(rule, [report(0, 4, 0.9), report(1, 2, 0.5), report(1, 4, 0.1)]) == [
        True,
        True,
        True,
    ]


def test_what_a_lost_attempt_said_is_taken_back() -> None:
    rule = early_stopping(ASHA)
    verdicts(rule, [attempted(0), report(0, 1, 0.9), attempted(0)])
    assert rule.hear(report(1, 1, 0.1)), "nobody has come to the rung any more"


events = some.lists(
    some.one_of(
        some.builds(
            report, some.integers(0, 4), some.integers(1, 9), some.floats(0, 1) | some.none()
        ),
        some.builds(attempted, some.integers(0, 4)),
        some.builds(ended, some.integers(0, 4), some.sampled_from(("told", "stopped", "failed"))),
    ),
    max_size=60,
)


@pytest.mark.parametrize(
    "rules", [ASHA, MEDIAN, Rules(early_stop="asha")], ids=lambda rules: rules.early_stop
)
@given(events=events)
def test_the_rule_is_a_fold(rules: Rules, events: list[Event]) -> None:
    """Told the same past, a fresh rule decides alike at every point."""
    whole = verdicts(early_stopping(rules), events)
    for cut in range(0, len(events), 7):
        again = early_stopping(rules)
        assert verdicts(again, events[:cut]) + verdicts(again, events[cut:]) == whole


@given(scores=some.lists(some.floats(0, 1), min_size=1, max_size=40))
def test_asha_never_stops_the_best_so_far_nor_the_first(scores: list[float]) -> None:
    rule = early_stopping(ASHA)
    for number, score in enumerate(scores):
        if score >= max(scores[: number + 1]):
            assert rule.hear(report(number, 1, score))
        else:
            rule.hear(report(number, 1, score))


@given(
    scores=some.lists(some.floats(0, 1), min_size=1, max_size=40, unique=True),
    lost=some.floats(0, 1),
)
def test_a_lost_attempt_changes_no_later_verdict_of_others(
    scores: list[float], lost: float
) -> None:
    """Whatever it said before it was tried again, the others are judged as if it had not spoken."""
    others = [report(number, 1, score) for number, score in enumerate(scores, start=1)]
    spoiled = early_stopping(ASHA)
    verdicts(spoiled, [attempted(0), report(0, 1, lost), attempted(0)])
    assert verdicts(spoiled, others) == verdicts(early_stopping(ASHA), others)


def stopped_study(folder: Path, rules: Rules, trials: int = 24) -> Study:
    folder.mkdir(exist_ok=True)
    study = Study(
        folder, fresh_strategy("random-search"), seed=3, rules=rules, budget=Budget(trials=trials)
    )
    judge = Judge(TINY, steps=4)
    for trial in study.todo():
        study.tell(trial.number, judged(study, judge, trial))
    study.finish()
    return study


@pytest.mark.parametrize("early_stop", ["asha", "median"])
def test_a_stopped_trial_is_never_told_as_complete(tmp_path: Path, early_stop: str) -> None:
    rules = Rules(early_stop=early_stop, duplicates="retrain", grace_trials=2)  # type: ignore[arg-type]
    with stopped_study(tmp_path, rules) as study:
        log = lines(tmp_path)
        stopped = {event["number"]: event for event in log if event["event"] == "stopped"}
        assert len(stopped) >= 3
        assert not stopped.keys() & {event["number"] for event in log if event["event"] == "told"}
        assert all(event["step"] < 4 for event in stopped.values())
        best = study.ledger.best
        assert best is not None
        assert best.trial.number not in stopped


@pytest.mark.parametrize(
    ("stopped_as", "hears"),
    [("worst", [(0, 5.0), (1, 3.0), (2, 3.0)]), ("ignore", [(0, 5.0), (1, 3.0)])],
)
def test_what_the_strategy_hears_of_a_stopped_trial(
    tmp_path: Path, stopped_as: Any, hears: list[tuple[int, float]]
) -> None:
    strategy = Listed([tiny(0, 0), tiny(0, 1), tiny(0, 2)])
    with Study(tmp_path, strategy, rules=Rules(stopped_as=stopped_as), budget=no_limit()) as study:
        for outcome in (Evaluation(5.0), Evaluation(3.0), Stopped(2, 0.1)):
            trial = study.ask()
            assert trial is not None
            study.tell(trial.number, outcome)
    assert strategy.heard == hears


def test_a_trial_whose_score_is_lost_is_stopped_and_fails_as_diverged(tmp_path: Path) -> None:
    """The usual bridge leaves such a trial running for ever."""

    class Diverges(Judge):
        def evaluate(self, genotype: Any, *, seed: int, workdir: Path, report: Any) -> Evaluation:
            for step in range(1, 1_000):
                if not report(step, {"score": 1.0 if step < 3 else math.nan}):
                    return Evaluation(math.nan, {}, float(step))
            return Evaluation(1.0)

    rules = Rules(early_stop="asha", retries=0)
    with Study(tmp_path, Listed([tiny(0, 0)]), rules=rules, budget=no_limit()) as study:
        trial = study.ask()
        assert trial is not None
        study.tell(trial.number, judged(study, Diverges(TINY), trial))
        assert study.ledger.failure_kinds == {"diverged": 1}
        assert not study.ledger.open
    assert [event["step"] for event in lines(tmp_path) if event["event"] == "progressed"] == [
        1,
        2,
        3,
    ]


def test_attempt_names_the_step_at_which_the_score_was_lost(tmp_path: Path) -> None:
    class Lost(Judge):
        def evaluate(self, genotype: Any, *, seed: int, workdir: Path, report: Any) -> Evaluation:
            report(7, {"score": math.nan})
            return Evaluation(0.5, {}, 2.0)

    outcome = attempt(Lost(TINY), Trial(0, tiny(0, 0), 1), tmp_path, lambda step, metrics: False)
    assert outcome == Failure("diverged", "the score at step 7 is no finite number", 2.0)


def test_a_study_cut_anywhere_stops_the_same_trials(tmp_path: Path) -> None:
    """Kill it after any line: what follows is as if it had not been killed."""
    rules = Rules(early_stop="asha", duplicates="retrain")
    stopped_study(tmp_path / "whole", rules, 8).close()
    log = tmp_path / "whole" / "events.jsonl"
    for offset, _ in list(read_events(log))[1:]:
        folder = tmp_path / f"cut{offset}"
        folder.mkdir()
        (folder / "events.jsonl").write_bytes(log.read_bytes()[:offset])
        stopped_study(folder, rules, 8).close()
        assert ended_alike(folder) == ended_alike(tmp_path / "whole")


def ended_alike(folder: Path) -> dict[int, tuple[str, float]]:
    return {
        e["number"]: (e["event"], e["score"])
        for e in lines(folder)
        if e["event"] in ("told", "stopped")
    }


def test_reading_a_log_counts_stopped_trials(tmp_path: Path) -> None:
    rules = Rules(early_stop="asha", duplicates="retrain")
    study = stopped_study(tmp_path, rules)
    study.close()
    ledger = Ledger(rules)
    for offset, event in read_events(tmp_path / "events.jsonl"):
        ledger.apply(event, offset)
    assert ledger.counts == study.ledger.counts
    assert ledger.counts["stopped"] >= 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"early_stop": "hyperband"}, "rule for early-stop"),
        ({"reduction": 1.0}, "reduction is 1.0: expected a number from 1.1"),
        ({"reduction": math.nan}, "reduction is nan"),
        ({"grace_steps": 0}, "grace_steps is 0: expected a number from 1"),
        ({"lag": 0}, "lag is 0: expected a number from 1 to 10000"),
        ({"lag": 8, "early_stop": "asha"}, "leave out --early-stop or --deterministic"),
    ],
)
def test_rules_say_what_is_wrong(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words.replace("(", "\\(")):
        Rules(**options)
