"""`import nas`: light, told by `dir`, typed, and documented by examples that run."""

from __future__ import annotations

import doctest
import inspect
import os
import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import nas
import nas.search.plan
from nas.contracts import Evaluation

ROOT = Path(__file__).parents[2]
FUNCTIONS = ("build", "compare", "export", "open_study", "predict", "retrain", "search", "transfer")


def test_dir_and_all_tell_what_there_is() -> None:
    assert dir(nas) == sorted(nas.__all__)
    assert set(FUNCTIONS) < set(nas.__all__)
    for name in nas.__all__:
        assert getattr(nas, name) is not None
    assert nas.Evaluation is Evaluation


def test_what_is_not_there_is_said_with_what_is() -> None:
    with pytest.raises(AttributeError, match=r"nas has no 'serach'; it has .*search"):
        nas.serach  # type: ignore[attr-defined]  # noqa: B018


def test_the_function_search_and_the_package_search_are_one_name(tmp_path: Path) -> None:
    """Whichever is imported first."""
    code = (
        "import {first}\nimport nas\n"
        "print(nas.search(space='ladder', strategy='random-search', evaluator='landscape', "
        "trials=2, out='{first}').status.trials, nas.search.plan.Plan.__name__)"
    )
    for first in ("nas", "nas.search.plan"):
        answer = subprocess.run(
            [sys.executable, "-c", code.format(first=first)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
        )
        assert answer.stdout.split() == ["2", "Plan"], answer.stderr


@pytest.mark.parametrize("name", [name for name in nas.__all__ if name != "__version__"])
def test_every_public_name_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(nas.__getattr__(name))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_has_an_example_that_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").touch()
    function = nas.__getattr__(name)
    examples = doctest.DocTestFinder(recurse=False).find(function, name, globs={})
    assert sum(len(example.examples) for example in examples) > 1
    runner = doctest.DocTestRunner()
    said: list[str] = []
    for example in examples:
        runner.run(example, out=said.append)
    assert runner.failures == 0, "".join(said)


def test_a_function_that_calls_search_travels_to_other_processes() -> None:
    """As Ray's remote tasks are: with the modules that they use."""
    assert pickle.loads(pickle.dumps(nas.search)) is nas.search


def test_the_package_is_typed() -> None:
    assert (ROOT / "nas" / "py.typed").is_file()
    assert (ROOT / "search_spaces" / "py.typed").is_file()


def test_a_users_script_is_checked_with_the_types_of_the_house() -> None:
    """By `make types`, which reads all of it anyway."""
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert (checked["strict"], checked["modules"]) == (True, ["tests.door.users_script"])
    assert "nas.search(" in (ROOT / "tests" / "door" / "users_script.py").read_text()
