"""`--trials N` buys N evaluations; what was begun before that was so goes on as it was begun."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parts.command_line import nas
from parts.studies import lines

WORDS = ("--space", "nasbench201", "--evaluator", "landscape")
SEARCH = ("search", *WORDS, "--strategy", "evolution", "--set", "strategy.population=5")
SEARCH += ("--set", "strategy.sample=4", "--seed", "3", "--to", "none", "--out")
COMPARE = ("compare", *WORDS, "--strategies", "evolution", "--set", "evolution.population=5")
COMPARE += ("--set", "evolution.sample=4", "--processes", "1", "--no-report", "--out")


def make_old(file: Path) -> None:
    """Take from a record what earlier versions did not say."""
    content = json.loads(file.read_text())
    assert content.pop("repeats") == "free"
    file.write_text(json.dumps(content))


def counts(folder: Path) -> Any:
    return nas("status", folder, "--json").json["counts"]


def test_trials_are_evaluations_and_repeats_are_free(tmp_path: Path) -> None:
    study = tmp_path / "s"
    assert "finished: all 40 trials are done" in nas(*SEARCH, study, "--trials", "40").out
    assert json.loads((study / "study.json").read_text())["repeats"] == "free"
    found = counts(study)
    assert found["evaluated"] == 40
    assert found["asked"] == 40 + found["reused"] > 40
    assert "\n40 of 40 trials, finished: all 40 trials are done\n" in nas("status", study).out

    assert "resumed: after 40 trials" in nas("resume", study, "--trials", "+7").err
    assert counts(study)["evaluated"] == 47
    assert nas("resume", study, "--trials", "46").sentence.startswith(
        "--trials is 46, but 47 trials have ended already"
    )


def test_under_retrain_everything_is_charged(tmp_path: Path) -> None:
    words = (*SEARCH, tmp_path / "s", "--trials", "40", "--duplicates", "retrain")
    assert nas(*words).code == 0
    assert counts(tmp_path / "s") == {"asked": 40, "evaluated": 40}


@pytest.mark.parametrize("again", [(*SEARCH,), ("resume",)])
def test_a_study_begun_under_the_old_rule_keeps_it(tmp_path: Path, again: tuple[str, ...]) -> None:
    study = tmp_path / "s"
    assert nas(*SEARCH, study, "--trials", "10").code == 0
    make_old(study / "study.json")
    begun = len(lines(study))
    assert nas(*again, study, "--trials", "60").code == 0
    found = counts(study)
    assert found["asked"] == 60 == found["evaluated"] + found["reused"] > found["evaluated"]
    assert "60 of 60 trials" in nas("status", study).out
    assert nas("status", study, "--check").code == 0
    assert "repeats" not in json.loads((study / "study.json").read_text())
    assert len(lines(study)) > begun


def test_a_comparison_begun_under_the_old_rule_keeps_it_for_every_seed(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    words = (*COMPARE, folder, "--trials", "40")
    assert nas(*words, "--seeds", "1").code == 0
    assert counts(folder / "evolution/seed-1")["evaluated"] == 40
    for file in (folder / "compare.json", *folder.glob("*/*/study.json")):
        make_old(file)
    assert nas(*words, "--seeds", "2").code == 0
    new = folder / "evolution/seed-2"
    assert counts(new)["asked"] == 40 > counts(new)["evaluated"]
    assert json.loads((new / "study.json").read_text())["repeats"] == "charged"
    report = nas("report", folder, "--json").json
    assert report["task"]["repeats"] == "charged"
    assert "one of the trials of a budget" in (folder / "report.md").read_text()


def test_studies_under_either_rule_are_not_mixed_in_one_report(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert nas(*SEARCH, tmp_path / name, "--trials", "6").code == 0
    make_old(tmp_path / "b" / "study.json")
    answer = nas("report", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "r")
    assert "did different work (repeats: 'free' and 'charged')" in answer.sentence
