"""Whatever stands in a file, its reader answers in a sentence: never a traceback, and exit code
0, 2 or 3. `make fuzz` tries thousands; here are a few for each reader, and what once failed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parts.command_line import nas
from parts.damage import with_value, without
from parts.readers import CORPUS, READERS, STUDY_VERBS, fault_of

QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture)
# One change each: the study or comparison, the file, the line of a log, the way, the value.
FOUND = [json.loads(line) for line in (CORPUS / "damages.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("reader", READERS)
@given(data=st.data())
@settings(max_examples=2, deadline=None, suppress_health_check=QUIET, derandomize=True)
def test_damaged_input_is_answered_in_a_sentence(
    reader: str, tmp_path: Path, data: st.DataObject
) -> None:
    fault = fault_of(reader, data, tmp_path)
    assert fault is None, fault.whole


@pytest.mark.parametrize("case", FOUND, ids=lambda case: f"{case['file']}-{case['way'][-1]}")
def test_what_once_failed_is_answered_in_a_sentence(tmp_path: Path, case: dict[str, Any]) -> None:
    folder = tmp_path / "study"
    shutil.copytree(CORPUS / case["of"] / "study", folder)
    file, way = folder / case["file"], tuple(case["way"])
    lines = file.read_text().splitlines() if "line" in case else [file.read_text()]
    number = case.get("line", 0)
    tree = json.loads(lines[number])
    tree = with_value(tree, way, case["value"]) if "value" in case else without(tree, way)
    lines[number] = json.dumps(tree)
    file.write_text("\n".join(lines) + "\n")

    verb, *words = case["verb"]
    answer = nas(verb, folder, *words)
    assert answer.code in (0, 2, 3), answer.err


@pytest.mark.parametrize("file", ["study.json", "events.jsonl"])
def test_depth_and_length_are_bounded(tmp_path: Path, file: str) -> None:
    source = CORPUS / "random-search" / "study"
    for name in ("study.json", "events.jsonl"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    deep = "[" * 100_000 + "]" * 100_000
    content = (tmp_path / file).read_text()
    (tmp_path / file).write_text('{"event":"told","x":' + deep + "}\n" + content)
    for verb, *words in STUDY_VERBS:
        assert nas(verb, tmp_path, *words).code == 2
