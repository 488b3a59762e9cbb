"""A study whose beginnings have changed would not continue exactly, so it is not continued at
all."""

import json
from pathlib import Path

import pytest

from nas.errors import StudyError
from nas.search.run import open_search, run
from nas.search.words import assignment


def search(folder: Path) -> None:
    settings = {
        "space": {"name": "ladder"},
        "strategy": {"name": "optuna:tpe"},
        "evaluator": {"name": "landscape"},
        "study": {"trials": 5, "out": str(folder)},
    }
    todo = assignment(settings)
    with open_search(todo.plan, todo.folder, todo.budget) as ready:
        run(ready)


def test_a_default_that_means_something_else_by_now_is_refused(tmp_path: Path) -> None:
    search(tmp_path / "study")
    file = tmp_path / "study" / "study.json"
    content = json.loads(file.read_text())
    content["recorded"]["arguments"]["n_startup_trials"] = 99
    file.write_text(json.dumps(content))
    before = (tmp_path / "study" / "events.jsonl").read_bytes()
    with pytest.raises(
        StudyError, match=r"has changed \(arguments.n_startup_trials: 99 there, \d+ asked for\)"
    ):
        search(tmp_path / "study")
    assert (tmp_path / "study" / "events.jsonl").read_bytes() == before


def test_what_is_recorded_today_continues(tmp_path: Path) -> None:
    search(tmp_path / "study")
    search(tmp_path / "study")
