"""A folder where a genotype is asked for: the winner of what was searched there, or what was
exported to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parts.command_line import SMALL, Answer, nas


def well(answer: Answer) -> Answer:
    assert answer.code == 0, answer.err
    return answer


@pytest.fixture
def searched(tmp_path: Path) -> Path:
    well(nas("search", *SMALL, "--trials", "6", "--out", tmp_path / "study"))
    return tmp_path / "study"


def key_of(folder: Path) -> str:
    (best,) = well(nas("best", folder, "--json")).json["best"]
    return str(best["key"])


def test_the_winner_of_a_study(searched: Path) -> None:
    assert well(nas("show", searched, "--json")).json["key"] == key_of(searched)
    judged = well(nas("evaluate", searched, "--space", "nasbench201", "--evaluator", "landscape"))
    assert key_of(searched) in judged.out
    converted = well(nas("convert", searched, "--to", "nasbench201")).out
    assert well(nas("show", converted.strip(), "--json")).json["key"] == key_of(searched)


def test_the_winner_of_a_comparison(tmp_path: Path) -> None:
    words = ("--space", "nasbench201", "--evaluator", "landscape", "--strategies", "random-search")
    more = ("--seeds", "2", "--trials", "5", "--processes", "1", "--no-report")
    well(nas("compare", *words, *more, "--out", tmp_path / "all"))
    assert well(nas("show", tmp_path / "all", "--json")).json["key"] == key_of(tmp_path / "all")


def test_a_search_begins_with_the_winner_of_another(searched: Path, tmp_path: Path) -> None:
    words = ("search", *SMALL, "--trials", "3", "--start-from", searched, "--out", tmp_path / "on")
    well(nas(*words))
    events = (tmp_path / "on" / "events.jsonl").read_text().splitlines()
    first = next(event for event in map(json.loads, events) if event["event"] == "asked")
    assert first["key"] == key_of(searched)


def test_what_was_exported(searched: Path, tmp_path: Path) -> None:
    well(nas("export", searched, "--to", "json", "--out", tmp_path / "exported"))
    assert well(nas("show", tmp_path / "exported", "--json")).json["key"] == key_of(searched)


@pytest.mark.parametrize("verb", ["show", "export", "retrain", "profile"])
def test_a_folder_of_neither_says_where_one_is(searched: Path, verb: str) -> None:
    above = searched.parent
    assert nas(verb, above).sentence == (
        f"{above} holds no study, no comparison and no genotype.json; one lies below it, {searched}"
    )
    (above / "empty").mkdir()
    assert nas(verb, above / "empty").sentence == (
        f"{above / 'empty'} holds no study, no comparison and no genotype.json"
    )
