"""What surrounds an installed copy: packages that are not there, and others of the same name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from parts.command_line import ROOT, SMALL, Answer, nas


def nas_beside(place: Path, *words: str) -> Answer:
    """`nas` with this folder before ours on Python's path."""
    code = "import sys; from nas.cli import main; sys.argv[0] = 'nas'; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        cwd=place.parent,
        env={**os.environ, "PYTHONPATH": f"{place}{os.pathsep}{ROOT}", "PYTHONSAFEPATH": "1"},
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("file", ["runners.py", "runners/__init__.py"])
def test_a_foreign_runners_is_refused_before_a_study_is_made(tmp_path: Path, file: str) -> None:
    foreign = tmp_path / "foreign" / file
    foreign.parent.mkdir(parents=True)
    foreign.write_text("Local = None\n")

    answer = nas_beside(tmp_path / "foreign", "search", *SMALL, "--trials", "2", "--out", "s")

    assert "Python finds 'runners' in" in answer.sentence
    assert str(tmp_path / "foreign") in answer.sentence
    assert not (tmp_path / "s").exists()


def test_a_foreign_search_spaces_is_named(tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "search_spaces.py").touch()
    answer = nas_beside(tmp_path / "foreign", "--version")
    assert answer.code == 1
    assert "Python finds a 'search_spaces' that is not the one of this package" in answer.err


@pytest.mark.parametrize(
    "words",
    [
        ("search", *SMALL, "--runner", "ray"),
        ("compare", "--strategies", "evolution", *SMALL[:2], *SMALL[4:], "--runner", "ray"),
        ("retrain", "nasnet-a", "--dataset", "digits", "--workers", "2"),
    ],
    ids=lambda words: words[0],
)
def test_without_ray_nothing_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr("runners.on_ray.installed.find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    answer = nas(*words, "--out", "s")
    assert "Ray is not installed: pip install 'nas-toolkit[ray]'" in answer.sentence
    assert not (tmp_path / "s").exists()


def test_the_lowest_versions_are_those_that_are_allowed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    needed = [*project["dependencies"], *chain.from_iterable(extras)]
    bounds = [re.sub(r"\[.*\]|,.*", "", one) for one in needed if ">=" in one]
    allowed = {bound.replace(">=", "==") for bound in bounds}
    written = (ROOT / "constraints-lowest.txt").read_text().splitlines()[1:]
    assert set(written) == allowed
