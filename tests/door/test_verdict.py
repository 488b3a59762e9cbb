"""A comparison from Python is the comparison of the command line, and gives its verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.errors import NasError
from parts.command_line import nas as command
from parts.own_parts import Guess

SMALL: dict[str, Any] = {
    "space": "nasbench201",
    "evaluator": "landscape",
    "trials": 12,
    "processes": 1,
}


def test_the_comparison_is_that_of_the_command_line(tmp_path: Path) -> None:
    here, there = tmp_path / "python", tmp_path / "command"
    verdict = nas.compare(
        ["evolution", "optuna:tpe"],
        seeds=3,
        out=here,
        set={"evolution.population": 25},
        **SMALL,
    )
    words = ["--strategies", "evolution,optuna:tpe", "--seeds", "3", "--trials", "12"]
    words += ["--space", "nasbench201", "--evaluator", "landscape", "--processes", "1"]
    words += ["--set", "evolution.population=25", "--out", str(there)]
    answer = command("compare", *words, "--json")
    assert json.loads((here / "compare.json").read_text()) == json.loads(
        (there / "compare.json").read_text()
    )
    assert verdict.sentence == answer.json["verdict"]
    rows = verdict.table.set_index("arm")
    for row in answer.json["comparisons"]:
        assert rows.loc[row["arm"], "sentence"] == row["sentence"]
        assert rows.loc[row["arm"], "mean_difference"] == row["mean_difference"]


def test_the_report_is_written_when_it_is_asked_for(tmp_path: Path) -> None:
    verdict = nas.compare(["evolution"], seeds=[1, 5], out=tmp_path / "duel", **SMALL)
    assert not (tmp_path / "duel" / "report.html").exists()
    page = verdict.report()
    assert page == tmp_path / "duel" / "report.html"
    assert verdict.sentence in page.read_text()


def test_classes_and_labels_make_arms(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    verdict = nas.compare(
        {"own": Guess, "small": "evolution"},
        seeds="1-2",
        out=tmp_path / "duel",
        progress=lambda ended, total: heard.append((ended, total)),
        **SMALL,
    )
    assert set(verdict.table["arm"]) == {"own", "small"}
    assert heard[0] == (0, 6)
    assert heard[-1] == (6, 6)
    again = nas.compare([Guess], seeds=1, out=tmp_path / "named", **SMALL)
    assert list(again.table["arm"]) == ["Guess"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"seeds": "1-"}, ["--seeds", "1-"]),
        ({"confirm_score": "x"}, ["--confirm-score", "x"]),
        ({"margin": float("inf")}, ["--margin", "inf"]),
        ({"strategies": ["evolution", "evolution"]}, ["--strategies", "evolution,evolution"]),
        ({"set": {"strategy.population": 4}}, ["--set", "strategy.population=4"]),
    ],
)
def test_what_is_refused_is_refused_with_the_same_sentence(
    tmp_path: Path, asked: dict[str, Any], words: list[str]
) -> None:
    base = ["--space", "nasbench201", "--evaluator", "landscape", "--trials", "12"]
    given = {"strategies": ["evolution"], "out": tmp_path / "duel", **SMALL, **asked}
    answer = command(
        "compare", "--strategies", "evolution", *base, "--out", tmp_path / "duel", *words
    )
    with pytest.raises(NasError) as refused:
        nas.compare(**given)
    assert answer.sentence == str(refused.value)
    assert not (tmp_path / "duel").exists()
