"""Reports on more or less than a whole comparison say what they are: they keep its plan, tell what
is missing, and what is not the package's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parts.command_line import Answer, nas

BEGUN = ("compare", "--space", "nasbench201", "--evaluator", "landscape", "--processes", "1")
BEGUN += ("--strategies", "small=evolution", "--set", "small.population=4")
BEGUN += ("--set", "small.sample=2", "--margin", "0.5", "--no-report")


def well(answer: Answer) -> Answer:
    assert answer.code == 0, answer.err
    return answer


def reported(*folders: Path, out: Path) -> dict[str, Any]:
    well(nas("report", *folders, "--out", out))
    found: dict[str, Any] = json.loads((out / "report.json").read_text())
    return found


def practice(found: dict[str, Any], item: str) -> tuple[str, str]:
    (row,) = (row for row in found["checklist"] if row["item"] == item)
    return row["state"], row["note"]


@pytest.fixture
def six(tmp_path: Path) -> Path:
    words = ("--seeds", "3", "--trials", "9", "--confirm", "2", "--set", "evaluator.noise=0.2")
    well(nas(*BEGUN, *words, "--out", tmp_path / "above" / "six"))
    return tmp_path / "above" / "six"


def test_from_above_and_by_its_arms_it_is_the_same_comparison(six: Path, tmp_path: Path) -> None:
    whole = reported(six, out=tmp_path / "whole")
    above = reported(six.parent, out=tmp_path / "from-above")
    arms = reported(six / "small", six / "random-search", out=tmp_path / "by-arms")
    for found in (above, arms):
        assert found["verdict"] == whole["verdict"]
        assert found["margin"] == whole["margin"]
        assert found["checklist"] == whole["checklist"]
        assert found["honesty"]["confirm"] == whole["honesty"]["confirm"]
        assert [arm["label"] for arm in found["arms"]] == ["small", "random-search"]


def test_what_is_left_out_is_said(six: Path, tmp_path: Path) -> None:
    arms = (six / "small" / "seed-1", six / "small" / "seed-2", six / "random-search")
    found = reported(*arms, out=tmp_path / "some")
    assert practice(found, "No run is left out") == (
        "open",
        "1 of the same comparison is not shown",
    )


def test_an_unfinished_comparison_says_so_first(six: Path, tmp_path: Path) -> None:
    assert not reported(six, out=tmp_path / "whole")["verdict"].startswith("Unfinished")
    (six / "small" / "seed-3" / "confirm" / "study.json").unlink()
    words = well(nas("report", six, "--out", tmp_path / "part")).out
    assert words.startswith("Unfinished, 5 of 6 studies done: for small there are not enough ")


def test_confirmations_count_in_the_totals(six: Path, tmp_path: Path) -> None:
    honest = reported(six, out=tmp_path / "whole")["honesty"]
    assert honest["total_trials"] == 2 * 3 * (9 + 2)
    assert "landscape: noise 0.2 " in (tmp_path / "whole" / "report.md").read_text()


def test_one_seed_gives_no_estimate(tmp_path: Path) -> None:
    well(nas(*BEGUN, "--seeds", "1", "--trials", "9", "--out", tmp_path / "one"))
    words = well(nas("report", tmp_path / "one")).out
    assert "1 seed is not enough to tell (at least 5 more are needed)" in words


def test_code_of_the_users_own_is_not_in_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_first.py").write_text(
        "from nas.strategies.random_search import RandomSearch\n"
        "class Deaf(RandomSearch):\n    takes_several = False\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    table = ("--table", "nasbench201-digits", "--objectives", "score, -macs", "--processes", "1")
    words = ("compare", "--space", "nasbench201", *table, "--strategies", "own=own_first:Deaf")
    well(nas(*words, "--seeds", "2", "--trials", "8", "--out", "all"))
    found = json.loads(Path("all/report.json").read_text())
    state, note = practice(found, "The code of search space, training and strategies is published")
    assert state == "open"
    assert note.endswith("; not part of it: strategy own_first:Deaf")
    assert practice(found, "All arms learn from all objectives") == (
        "broken",
        "own: from the first alone",
    )
