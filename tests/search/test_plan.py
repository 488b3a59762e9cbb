"""A plan is every setting with its default; its identity says which studies are one search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nas.contracts import Strategy
from nas.errors import SettingsError, StudyError
from nas.search.plan import Plan, differences
from nas.search.run import open_search
from nas.search.words import TRIALS_IF_CHEAP, amount, assignment, extended
from nas.study import Budget
from parts.command_line import nas
from search_spaces.cells.space import SearchSpace


def tree(**tables: dict[str, Any]) -> dict[str, Any]:
    small = {
        "space": {"name": "ladder"},
        "strategy": {"name": "evolution"},
        "evaluator": {"name": "landscape"},
    }
    return {**small, **tables}


def plan_of(**tables: dict[str, Any]) -> Plan:
    return assignment(tree(**tables)).plan


def test_what_is_written_is_read(tmp_path: Path) -> None:
    plan = plan_of(study={"seed": 3, "duplicates": "retrain", "max_params": "3.3M"})
    plan.write(tmp_path, Budget(trials=3), {"sampler": None})
    assert Plan.read(tmp_path) == plan
    assert Plan.read(tmp_path).fingerprint == plan.fingerprint
    assert json.loads((tmp_path / "study.json").read_text())["recorded"] == {"sampler": None}


@pytest.mark.parametrize(
    "tables",
    [
        {"study": {"seed": 1}},
        {"study": {"retries": 2}},
        {"study": {"max_params": "1M"}},
        {"strategy": {"name": "evolution", "population": 50}},
        {"strategy": {"name": "random-search"}},
        {"evaluator": {"name": "landscape", "noise": 0.0}},
        {"space": {"name": "nasbench201"}},
    ],
)
def test_whatever_can_change_the_outcome_is_identity(tables: dict[str, Any]) -> None:
    assert plan_of(**tables).fingerprint != plan_of().fingerprint
    assert plan_of(**tables).default_folder() != plan_of().default_folder()


@pytest.mark.parametrize(
    "tables",
    [
        {"study": {"trials": 7}},
        {"study": {"max_hours": 7.0}},
        {"study": {"out": "elsewhere"}},
        {"runner": {"name": "local", "workers": 4}},
        {"strategy": {"name": "evol"}},
        {"strategy": {"name": "evolution", "population": 100}},
    ],
)
def test_budget_runner_and_spelling_are_not(tables: dict[str, Any]) -> None:
    assert plan_of(**tables).fingerprint == plan_of().fingerprint


class TakesByPosition(Strategy):
    """A strategy with an option that nobody can set."""

    def __init__(self, space: SearchSpace, seed: int, population: int = 5) -> None:
        super().__init__(space, seed)

    def ask(self, number: int) -> None:
        return None

    def tell(self, trial: object, evaluation: object) -> None:
        return None


def test_an_option_without_a_star_is_named_as_the_mistake() -> None:
    sentence = r"takes 'population' by position, so nobody can set it: put a \* before it"
    with pytest.raises(SettingsError, match=sentence):
        plan_of(strategy={"name": f"{__name__}:TakesByPosition"})


def test_a_file_by_its_path_is_the_same_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_ladder.py").write_text(
        "from search_spaces.ladder import LadderSpace\nMine = LadderSpace\n"
    )
    one, other = (
        plan_of(space={"name": name}) for name in ("my_ladder:Mine", "./my_ladder.py:Mine")
    )
    assert one.fingerprint == other.fingerprint
    assert one.space.name == "my_ladder:Mine"


def test_differences_are_named() -> None:
    assert differences({"a": {"b": 1, "c": 2}, "d": [3]}, {"a": {"b": 1, "c": 5}, "e": "x"}) == [
        "a.c: 2 there, 5 asked for",
        "d: [3] there, None asked for",
        "e: None there, 'x' asked for",
    ]


def test_a_colon_gives_the_first_option() -> None:
    part = plan_of(strategy={"name": "optuna:random"}).strategy
    assert part.name == "optuna:random"
    assert part.options["sampler"] == "random"


def test_a_cheap_evaluator_gets_many_trials() -> None:
    assert assignment(tree()).budget == Budget(trials=TRIALS_IF_CHEAP)


@pytest.mark.parametrize(
    ("text", "value"), [("600000", 6e5), ("3.3M", 3.3e6), ("2K", 2e3), ("1e3", 1e3), (" 5 G ", 5e9)]
)
def test_amounts(text: str, value: float) -> None:
    assert amount(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "-1", "0", "3X", "M", "1,5M", "nan"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(
        SettingsError, match=r"is no amount: expected a number above 0, say 3.3M or 600000"
    ):
        amount(text)


@pytest.mark.parametrize(
    ("before", "trials", "after"),
    [
        (Budget(trials=10), "+5", 12),  # on top of the seven that have ended
        (Budget(trials=10), "+0", 8),  # the open one runs in any case
        (Budget(trials=10), "7", 8),
        (Budget(trials=10), "12", 12),
        (Budget(seconds=9.0), "+5", 12),
        (Budget(), "14", 14),
    ],
)
def test_extensions(before: Budget, trials: str, after: int) -> None:
    found = extended(before, trials, None, None, ended=7, open_trials=1)
    assert (found.trials, found.seconds) == (after, before.seconds)


def test_a_table_gives_its_space_the_decisions(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "d_a,d_b,score\n" + "".join(f"{a},{b},{a}\n" for a in (1, 2) for b in "xyz")
    )
    words = (
        "--space",
        "table",
        "--table",
        tmp_path / "t.csv",
        "--decisions",
        "d_*",
        "--strategy",
        "random",
    )
    assert nas("search", *words, "--trials", "20", "--out", tmp_path / "s").code == 0
    assert Plan.read(tmp_path / "s").make_space().size == 6
    assert nas("status", tmp_path / "s", "--check").code == 0


def test_a_table_that_has_changed_does_not_continue_a_study(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("d_a,score\n1,1\n2,2\n3,3\n")
    words = (
        "--space",
        "table",
        "--table",
        table,
        "--decisions",
        "d_*",
        "--strategy",
        "random",
        "--out",
        tmp_path / "s",
    )
    assert nas("search", *words, "--trials", "2").code == 0
    table.write_text("d_a,score\n1,1\n2,2\n3,9\n")
    sentence = nas("resume", tmp_path / "s", "--trials", "+1").sentence
    assert "has changed (sha256: " in sentence
    assert "restore it, or begin another study with --out" in sentence


def test_without_a_budget_nothing_is_written(tmp_path: Path) -> None:
    for budget in (None, Budget()):
        with (
            pytest.raises(StudyError, match="a study needs a budget"),
            open_search(plan_of(), tmp_path / "s", budget),
        ):
            pass
        assert not (tmp_path / "s").exists()
