"""Searches with several objectives, as they are asked for and as they are read."""

from __future__ import annotations

import json
from pathlib import Path

import pandas
import pytest

import nas
from nas.contracts import Evaluation
from nas.errors import NasError, SettingsError
from nas.search.objectives import objectives_of
from parts.command_line import nas as command
from parts.studies import lines

TABLE = "a,b,val,ms\n" + "".join(
    f"{a},{b},{a * b / 16:.4f},{1 + a * a + b}\n" for a in range(5) for b in range(5)
)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "t.csv").write_text(TABLE)
    result = command(
        *("search", "--space", "table", "--table", tmp_path / "t.csv", "--decisions", "[ab]"),
        *("--objectives", "val, -ms", "--strategy", "random-search", "--trials", "40"),
        *("--out", tmp_path / "s"),
    )
    assert "objectives: val, -ms" in result.err
    return tmp_path / "s"


def test_the_front_is_listed_with_its_knee_and_lies_in_best(study: Path) -> None:
    told = [event for event in lines(study) if event["event"] == "told"]
    points = {tuple(event["objectives"]) for event in told}
    best = {p for p in points if not any(o != p and o[0] >= p[0] and o[1] >= p[1] for o in points)}

    listed = command("best", study, "--json").json
    assert {tuple(member["objectives"].values()) for member in listed["front"]} == best
    numbers = sorted(f"trial-{member['number']}" for member in listed["front"])
    assert sorted(path.name for path in (study / "best" / "front").iterdir()) == numbers
    scales = json.loads((study / "study.json").read_text())["scales"]
    assert [worst < good for worst, good in scales] == [True, True]
    first = command("best", study).out.splitlines()[0]
    assert first.startswith(f"the knee: trial {listed['knee']}, val = ")
    assert f"hypervolume {listed['hypervolume']:.4f}" in first
    assert f"front: {len(best)} on the front" in command("status", study, "--check").out


def test_the_same_command_continues_and_another_objective_is_refused(study: Path) -> None:
    words = ("search", "--space", "table", "--table", study.parent / "t.csv", "--decisions", "[ab]")
    more = ("--strategy", "random-search", "--trials", "44", "--out", study)
    assert command(*words, "--objectives", "val, -ms", *more).code == 0
    refused = command(*words, "--objectives", "val, -2 * ms", *more)
    assert (refused.code, "objectives.formulas" in refused.err) == (2, True)


def test_one_score_has_no_front(tmp_path: Path) -> None:
    study = nas.search(
        space="ladder",
        evaluator="landscape",
        strategy="random-search",
        trials=3,
        out=tmp_path / "s",
    )
    with pytest.raises(NasError, match="has a best trial and no front"):
        study.front()
    assert "objectives" not in (tmp_path / "s" / "study.json").read_text()


def test_a_loop_of_ones_own_tells_metrics_and_reads_the_front(tmp_path: Path) -> None:
    with nas.open_study(
        tmp_path / "s", space="ladder", strategy="local-search", trials=12, objectives="good, -big"
    ) as study:
        for trial in study.todo():
            metrics = {"good": trial.number % 5, "big": trial.number}
            study.tell(trial, Evaluation(0.0, metrics))
        front = study.front()
    assert isinstance(front, pandas.DataFrame)
    assert front["number"].tolist() == [4, 3, 2, 1, 0]
    assert front["knee"].sum() == 1


@pytest.mark.parametrize("text", ["val", "a, a", "a, b, c, d", "a, 3"])
def test_what_is_no_list_of_objectives_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        objectives_of(text, None)


@pytest.mark.parametrize("scales", ["0:1", "1:0, 0:1", "a:b, 0:1"])
def test_scales_that_fit_no_objectives_are_refused(scales: str) -> None:
    with pytest.raises(SettingsError, match="WORST:BEST"):
        objectives_of("a, max(b, c)", scales)
