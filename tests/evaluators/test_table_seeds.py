"""Tables with a column for each seed, and with columns of shorter trainings."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from nas.contracts import Evaluation
from nas.errors import NasError, SettingsError
from nas.evaluators._expressions import Expression
from nas.evaluators.table import Table
from parts.command_line import nas
from parts.studies import lines
from search_spaces.table import TableSpace

SPACE = TableSpace(decisions={"a": ["0", "1", "2"]})
ROWS = "a,s_1,s_2,s_3,t_1,t_2,t_3,early,final\n" + "".join(
    f"{a},{a}.1,{a}.2,{a}.3,{10 * a + 1},{10 * a + 2},{10 * a + 3},{2 - a},{a}\n" for a in range(3)
)


@pytest.fixture
def table(tmp_path: Path) -> str:
    (tmp_path / "t.csv").write_text(ROWS)
    return str(tmp_path / "t.csv")


def judged(
    evaluator: Table, choice: int, seed: int, until: int = 999
) -> tuple[Evaluation, list[tuple[int, Any]]]:
    curve: list[tuple[int, Any]] = []

    def report(step: int, metrics: Any) -> bool:
        curve.append((step, metrics["score"]))
        return step < until

    genotype = SPACE.decode((choice,))
    return evaluator.evaluate(genotype, seed=seed, workdir=Path(), report=report), curve


def test_the_seed_of_a_trial_picks_the_column_and_its_cost(table: str) -> None:
    made = Table(SPACE, table=table, score="one_of(s_1, s_2, s_3)", cost="one_of(t_1, t_2, t_3)")
    found = [judged(made, 1, seed)[0] for seed in range(300)]
    seen = Counter((one.score, one.seconds) for one in found)
    assert set(seen) == {(1.1, 11.0), (1.2, 12.0), (1.3, 13.0)}
    assert min(seen.values()) > 60, "each about as often"
    again = pickle.loads(pickle.dumps(made))
    assert [judged(again, 1, seed)[0] for seed in range(300)] == found


def test_it_may_stand_in_a_formula(table: str) -> None:
    made = Table(SPACE, table=table, score="100 * one_of(s_1, s_2, s_3) - early")
    assert {round(judged(made, 2, seed)[0].score, 6) for seed in range(40)} == {210, 220, 230}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"score": "one_of(s_1)"}, "takes two or more arguments"),
        ({"score": "one_of(s_1, s_2) + one_of(s_1, s_2, s_3)"}, "everywhere as many"),
        ({"score": "one_of(s_1, s_2)", "cost": "one_of(t_1, t_2, t_3)"}, "2 and 3 arguments"),
        ({"score": "one_of(s_1, s_9)"}, "s_9"),
        ({"score": "s_1", "final": "one_of(s_2, s_3)"}, "use mean here"),
        ({"score": "one_of(s_1, s_2)", "final": "mean(s_2, s_3)"}, "is to judge winners"),
        ({"steps": {"x": "early"}}, "expected an expression for each step"),
        ({"steps": {"0": "early"}}, "expected an expression for each step"),
        ({"steps": {"12": "erly"}}, "did you mean 'early'"),
        ({"steps": {"12": "final"}}, "is to judge winners"),
    ],
)
def test_what_makes_no_sense_is_refused(table: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NasError, match=sentence):
        Table(SPACE, table=table, **options)


def test_elsewhere_nothing_is_picked() -> None:
    with pytest.raises(SettingsError, match="one_of picks a column for each trial"):
        Expression("one_of(val_accuracy, macs)")


def test_shorter_trainings_are_reported_as_steps(table: str) -> None:
    steps = {"200": "one_of(s_1, s_2)", "12": "early"}
    made = Table(SPACE, table=table, steps=steps, cost="t_1")
    assert made.last_step == 200
    whole, curve = judged(made, 2, seed=0)
    assert curve == [(12, 0.0), (200, whole.score)]
    assert whole.score in (2.1, 2.2)
    assert whole.seconds == 21.0
    stopped, curve = judged(made, 2, seed=0, until=12)
    assert curve == [(12, 0.0)]
    assert stopped.seconds == pytest.approx(21 * 12 / 200)


def test_a_search_stops_early_by_them_and_judges_with_several_seeds(table: str) -> None:
    folder = Path(table).parent
    words = ("search", "--space", "table", "--table", table, "--decisions", "a")
    words += ("--strategy", "random-search", "--trials", "3")
    steps = ("--set", 'evaluator.steps={"12": "early", "200": "s_1"}')
    early = ("--early-stop", "asha", "--set", "study.grace_steps=12", "--out", folder / "early")
    assert nas(*words, *steps, *early).code == 0
    ends = {event["event"] for event in lines(folder / "early") if "score" in event}
    assert ends == {"told", "stopped"}
    assert nas("status", folder / "early", "--check").code == 0

    thrice = ("--evaluations-per-trial", "3", "--score", "one_of(s_1, s_2, s_3)")
    assert nas(*words, *thrice, "--out", folder / "thrice").code == 0
    told = [event for event in lines(folder / "thrice") if event["event"] == "told"]
    assert any(event["metrics"]["score_sd"] > 0 for event in told)


def test_a_column_may_be_called_one_of() -> None:
    assert Expression("one_of + 1")({"one_of": 2.0}) == 3.0
