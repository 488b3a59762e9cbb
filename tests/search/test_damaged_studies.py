"""Whatever stands in a study's folder, every verb that reads one answers in a sentence: never a
traceback, and exit code 0, 2 or 3."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parts.command_line import nas

CORPUS = Path(__file__).parents[1] / "corpus"
STUDIES = ("random-search", "early-stopping", "policy-gradient")
VERBS = (
    ("status",),
    ("status", "--check"),
    ("best", "--top", "3"),
    ("events",),
    ("trial", "1"),
    ("inspect",),
    ("report", "--json"),
    ("export", "--to", "json"),
    ("resume", "--trials", "1"),
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**400), max_value=10**400)
    | st.integers(min_value=-3, max_value=12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "told", "1e999", "../..", "\x1b[31m", "nasnet", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["score", "name", "options", "trials", "x"]), inner, max_size=3
        )
    ),
    max_leaves=4,
)


def places(found: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to everything in a tree."""
    ways = [way] if way else []
    pairs: Any = ()
    if isinstance(found, dict):
        pairs = found.items()
    elif isinstance(found, list):
        pairs = enumerate(found)
    return [*ways, *(deeper for name, value in pairs for deeper in places(value, (*way, name)))]


def changed(data: st.DataObject, tree: Any) -> Any:
    """The tree with one thing in it replaced or gone."""
    tree = json.loads(json.dumps(tree))
    *way, last = data.draw(st.sampled_from(places(tree)), label="place")
    at = tree
    for name in way:
        at = at[name]
    if data.draw(st.integers(0, 4), label="drop") == 0:
        del at[last]
    else:
        at[last] = data.draw(VALUES, label="value")
    return tree


def damaged_file(data: st.DataObject, folder: Path) -> None:
    """Damage one of the two files of a study."""
    file = folder / data.draw(st.sampled_from(("study.json", "events.jsonl")), label="file")
    if file.name == "study.json":
        file.write_text(json.dumps(changed(data, json.loads(file.read_text()))))
        return
    lines = file.read_text().splitlines()
    number = data.draw(st.integers(0, len(lines) - 1), label="line")
    lines[number] = json.dumps(changed(data, json.loads(lines[number])))
    file.write_text("\n".join(lines) + "\n")


def every_verb_answers(data: st.DataObject) -> None:
    source = CORPUS / data.draw(st.sampled_from(STUDIES), label="study") / "study"
    verb, *words = data.draw(st.sampled_from(VERBS), label="verb")
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
        folder = Path(place) / "s"
        folder.mkdir()
        for name in ("study.json", "events.jsonl"):
            (folder / name).write_bytes((source / name).read_bytes())
        damaged_file(data, folder)
        answer = nas(verb, folder, *words)
    assert answer.code in (0, 2, 3), answer.err
    assert "Traceback" not in answer.err


QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large)


@given(st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=QUIET, derandomize=True)
def test_a_damaged_study_is_answered_in_a_sentence(data: st.DataObject) -> None:
    every_verb_answers(data)


@pytest.mark.slow
@given(st.data())
@settings(max_examples=3000, deadline=None, suppress_health_check=QUIET)
def test_thousands_of_damaged_studies_are_answered_in_sentences(data: st.DataObject) -> None:
    every_verb_answers(data)


@pytest.mark.parametrize("file", ["study.json", "events.jsonl"])
def test_depth_and_length_are_bounded(tmp_path: Path, file: str) -> None:
    source = CORPUS / "random-search" / "study"
    for name in ("study.json", "events.jsonl"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    deep = "[" * 100_000 + "]" * 100_000
    content = (tmp_path / file).read_text()
    (tmp_path / file).write_text('{"event":"told","x":' + deep + "}\n" + content)
    for verb, *words in VERBS:
        assert nas(verb, tmp_path, *words).code == 2
