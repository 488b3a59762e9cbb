"""All trials of a study as a DataFrame, held against what its log says line by line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from nas.errors import StoreError, StudyError
from nas.search.plan import Plan
from nas.search.trials import trials_frame

CORPUS = Path(__file__).parents[1] / "corpus"
STUDIES = sorted(
    folder.name for folder in CORPUS.iterdir() if (folder / "study" / "study.json").exists()
)


def lines(folder: Path) -> list[dict[str, Any]]:
    """The whole lines of a log."""
    whole = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    return [json.loads(line) for line in whole if line.endswith("\n")]


@pytest.fixture(params=STUDIES)
def study(request: pytest.FixtureRequest) -> Path:
    """One kept study after the other."""
    return CORPUS / str(request.param) / "study"


def copied(name: str, tmp_path: Path) -> Path:
    """A copy of a kept study, to be changed."""
    return Path(shutil.copytree(CORPUS / name / "study", tmp_path / name))


def test_every_trial_is_one_row_with_what_its_lines_say(study: Path) -> None:
    frame = trials_frame(study).set_index("number")
    asked = {line["number"]: line for line in lines(study) if line["event"] == "asked"}
    ends = {
        line["number"]: line
        for line in lines(study)
        if line["event"] in ("told", "stopped", "failed")
    }

    assert list(frame.index) == sorted(asked)
    assert list(frame["key"]) == [asked[number]["key"] for number in sorted(asked)]
    assert set(frame.index[frame["state"] == "open"]) == asked.keys() - ends.keys()
    for number, end in ends.items():
        row = frame.loc[number]
        assert row["state"] == ("reused" if "reused" in end else end["event"])
        assert row["seconds"] == end["seconds"]
        if "score" in end:
            assert row["score"] == end["score"]
        for name, value in end.get("metrics", {}).items():
            label = f"metrics.{name}" if f"metrics.{name}" in frame else name
            assert row[label] == value


def test_the_choices_of_a_row_decode_to_its_key(study: Path) -> None:
    space = Plan.read(study).make_space()
    frame = trials_frame(study)
    for _, row in frame.iterrows():
        chosen = [each.options.index(row[each.name]) for each in space.decisions]
        assert space.decode(chosen).key == row["key"]


def test_states_are_told_apart(tmp_path: Path) -> None:
    folder = copied("random-search", tmp_path)
    first = next(line for line in lines(folder) if line["event"] == "asked")
    asked = {name: value for name, value in first.items() if name != "number"}
    end = {"score": 0.5, "metrics": {"score": 7, "loss": 2.0}, "seconds": 1.5}
    events = [
        {**asked, "number": 3},
        {**asked, "number": 0},
        {**asked, "number": 1},
        {**asked, "number": 2},
        {**asked, "number": 5},
        {**asked, "event": "skipped", "number": 4, "reason": "too large"},
        {"event": "told", "number": 3, **end, "reused": 1},
        {"event": "failed", "number": 1, "kind": "diverged", "message": "", "seconds": 2.0},
        {"event": "stopped", "number": 2, "step": 1, **end},
        {"event": "told", "number": 0, **end},
    ]
    log = "".join(json.dumps(event) + "\n" for event in events)
    (folder / "events.jsonl").write_text(log + '{"event":"told","numb')

    frame = trials_frame(folder).set_index("number")
    assert frame["state"].to_dict() == {
        0: "told",
        1: "failed",
        2: "stopped",
        3: "reused",
        5: "open",
    }
    assert frame["failure"].dropna().to_dict() == {1: "diverged"}
    assert frame["loss"].dropna().to_dict() == {0: 2.0, 2: 2.0, 3: 2.0}
    assert frame["score"].dropna().to_dict() == {0: 0.5, 2: 0.5, 3: 0.5}
    assert frame["metrics.score"].dropna().to_dict() == {0: 7, 2: 7, 3: 7}
    assert frame["seconds"].dropna().to_dict() == {0: 1.5, 1: 2.0, 2: 1.5, 3: 1.5}


def test_a_space_that_is_not_installed_here_says_no_choices(tmp_path: Path) -> None:
    folder = copied("random-search", tmp_path)
    settings = json.loads((folder / "study.json").read_text())
    decisions = [each.name for each in Plan.read(folder).make_space().decisions]
    settings["space"]["name"] = "gone"
    (folder / "study.json").write_text(json.dumps(settings))

    frame = trials_frame(folder)
    assert len(frame) > 0
    assert not set(decisions) & set(frame.columns)


def test_a_study_that_has_not_begun_has_no_rows(tmp_path: Path) -> None:
    folder = copied("random-search", tmp_path)
    (folder / "events.jsonl").unlink()
    frame = trials_frame(folder)
    assert list(frame.columns) == ["number", "state", "score", "seconds", "key", "failure"]
    assert len(frame) == 0


def test_what_is_no_study_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="holds no study"):
        trials_frame(tmp_path)


def test_an_end_that_no_study_wrote_is_refused_in_one_sentence(tmp_path: Path) -> None:
    folder = copied("random-search", tmp_path)
    with (folder / "events.jsonl").open("a") as log:
        log.write('{"event":"told","number":0,"score":1.0}\n')
    with pytest.raises(StoreError, match="is 'told' without 'metrics'"):
        trials_frame(folder)
