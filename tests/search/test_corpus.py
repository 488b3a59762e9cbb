"""Studies that an earlier commit began are read, checked and continued as that commit would have
done it: `corpus/` holds their folders and what it said of them, see `corpus/README.md`.

`PYTHONPATH=.:tests python tests/search/test_corpus.py NAME ...` writes what is expected of a
new study.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from parts.command_line import nas

CORPUS = Path(__file__).parents[1] / "corpus"

# What continues each study. Workers may differ from the ones it was begun with; results may not.
RESUMED = {
    "random-search": ("--trials", "60"),
    "evolution": ("--trials", "70"),
    "local-search": ("--trials", "+15"),
    "optuna-tpe": ("--trials", "50"),
    "policy-gradient": ("--trials", "65"),
    "deterministic": ("--workers", "1"),
    "early-stopping": ("--trials", "55"),
    "resampling": ("--trials", "+4"),
    "table": ("--trials", "+15"),
    "torn": (),
    "trained": ("--trials", "+1", "--to", "none"),
}
COMPARED = ("--strategies", "evolution", "--set", "evolution.population=6")
COMPARED += ("--set", "evolution.sample=3", "--seeds", "3", "--space", "nasbench201")
COMPARED += ("--evaluator", "landscape", "--processes", "1", "--no-report")

CLOCKS = {"time", "strategy_seconds", "wall_seconds", "idle_seconds"}
PLACES = {"folder", "folders", "export"}
PLACES |= {
    "alarm",
    "running",
    "pace",
    "proves_itself",
    "as_of",
    "repeats",
    "evaluated_on",
    "foreseen",
    "forecast",
}  # what that commit did not say yet


@pytest.fixture(params=RESUMED)
def name(request: pytest.FixtureRequest) -> str:
    """One study after the other."""
    found: str = request.param
    return found


@pytest.fixture
def study(name: str, tmp_path: Path) -> Path:
    """A copy of its folder."""
    return copied(name, tmp_path)


def test_it_is_read_and_checked_alike(name: str, study: Path) -> None:
    before = everything_in(study)
    agree(what_is_said(study), expected(name, "read.json"))
    assert everything_in(study) == before


def test_it_is_continued_alike(name: str, study: Path) -> None:
    before = whole_lines(study)
    agree(continued(name, study), expected(name, "continued.json"))
    assert (study / "events.jsonl").read_bytes().startswith(before)


def test_a_comparison_is_reported_alike(tmp_path: Path) -> None:
    agree(reported(copied("comparison", tmp_path)), expected("comparison", "read.json"))


def test_a_comparison_is_continued_alike(tmp_path: Path) -> None:
    found = compared_further(copied("comparison", tmp_path))
    agree(found, expected("comparison", "continued.json"))


def test_kept_weights_are_exported_alike(tmp_path: Path) -> None:
    study = copied("trained", tmp_path)
    there = tmp_path / "out"
    assert nas("export", study, "--to", "json,python", "--out", there).code == 0
    genotypes = [
        json.loads((place / "genotype.json").read_text()) for place in (there, study / "best")
    ]
    assert genotypes[0] == genotypes[1]
    found, wanted = (load_file(place / "weights.safetensors") for place in (there, study / "best"))
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


# ----------------------------------------------------------------- what the command line says


def what_is_said(study: Path) -> dict[str, Any]:
    """How far a study is, whether its log is sound, and its winners."""
    return {
        "status": kept(nas("status", study, "--check", "--json").json, PLACES),
        "best": kept(nas("best", study, "--top", "3", "--json").json, PLACES),
    }


def continued(name: str, study: Path) -> dict[str, Any]:
    """The lines that come, and what is said of the study then."""
    before = whole_lines(study).count(b"\n")
    answer = nas("resume", study, *RESUMED[name], "--json")
    assert answer.code == 0, answer.err
    left_out = CLOCKS | (MEASURED if name == "trained" else set())
    lines = [kept(line, left_out) for line in log(study)[before:]]
    said = {} if name == "trained" else kept(what_is_said(study), CLOCKS)
    return {"lines": lines, **said}


# What a newly trained network does depends on the machine's arithmetic and speed.
MEASURED = {"metrics", "score", "seconds", "final"}


def reported(comparison: Path) -> dict[str, Any]:
    """The numbers of its report."""
    found: dict[str, Any] = kept(nas("report", comparison, "--json").json, PLACES)
    return found


def compared_further(comparison: Path) -> dict[str, Any]:
    """The lines that come where each search of the comparison gets six trials more."""
    logs = sorted(comparison.rglob("events.jsonl"))
    before = {file: len(log(file.parent)) for file in logs}
    answer = nas("compare", *COMPARED, "--trials", "26", "--out", comparison)
    assert answer.code == 0, answer.err
    return {
        file.parent.relative_to(comparison).as_posix(): [
            kept(line, CLOCKS) for line in log(file.parent)[count:]
        ]
        for file, count in before.items()
    }


# ----------------------------------------------------------------- files and values


def copied(name: str, folder: Path) -> Path:
    """A copy that may be spoiled."""
    return Path(shutil.copytree(CORPUS / name / "study", folder / "study"))


def expected(name: str, file: str) -> Any:
    """What the earlier commit said."""
    return json.loads((CORPUS / name / file).read_text())


def everything_in(study: Path) -> dict[Path, bytes]:
    """Every file."""
    return {file: file.read_bytes() for file in study.rglob("*") if file.is_file()}


def whole_lines(study: Path) -> bytes:
    """The log up to its last line end."""
    text = (study / "events.jsonl").read_bytes()
    return text[: text.rfind(b"\n") + 1]


def log(study: Path) -> list[dict[str, Any]]:
    """Every event."""
    return [json.loads(line) for line in whole_lines(study).splitlines()]


def kept(found: Any, left_out: set[str]) -> Any:
    """The same tree without these names."""
    if isinstance(found, dict):
        return {key: kept(value, left_out) for key, value in found.items() if key not in left_out}
    return [kept(value, left_out) for value in found] if isinstance(found, list) else found


def agree(found: Any, wanted: Any) -> None:
    """Equal, but for the last digits of floats, which differ from processor to processor."""
    differences = list(apart(found, wanted, ""))
    assert not differences, "\n".join(differences[:10])


def apart(found: Any, wanted: Any, where: str, close: float = 1e-9) -> Iterator[str]:
    """Every difference, with the way to it."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        if found.get("event") == "updated":
            close = 1e-4  # what a policy says of itself is of single precision, and rounded
        for key in sorted(found.keys() | wanted.keys()):
            if key in found and key in wanted:
                yield from apart(found[key], wanted[key], f"{where}.{key}", close)
            else:
                yield f"{where}.{key} is {'new' if key in found else 'missing'}"
    elif isinstance(found, list) and isinstance(wanted, list):
        if len(found) != len(wanted):
            yield f"{where} has {len(found)} entries, not {len(wanted)}"
        for place, (one, other) in enumerate(zip(found, wanted, strict=False)):
            yield from apart(one, other, f"{where}[{place}]", close)
    elif not same(found, wanted, close):
        yield f"{where} is {found!r}, not {wanted!r}"


def same(found: Any, wanted: Any, close: float) -> bool:
    """Whether two leaves are the same."""
    if isinstance(found, float) and isinstance(wanted, float):
        return math.isclose(found, wanted, rel_tol=close, abs_tol=1e-12)
    return type(found) is type(wanted) and bool(found == wanted)


# ----------------------------------------------------------------- recording


def record(name: str) -> None:
    """Write what this commit says of a study."""
    told = {"read.json": reported, "continued.json": compared_further}
    if name != "comparison":
        told = {"read.json": what_is_said, "continued.json": lambda study: continued(name, study)}
    for file, ask in told.items():
        with tempfile.TemporaryDirectory() as folder:
            text = json.dumps(ask(copied(name, Path(folder))), separators=(",", ":"))
        (CORPUS / name / file).write_text(text.replace('{"event"', '\n{"event"') + "\n")


if __name__ == "__main__":
    for each in sys.argv[1:]:
        record(each)
