"""The file name is the registration, and names may be cut short."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from nas import registry
from nas.errors import NasError


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_part_can_be_loaded_by_its_name(kind: str) -> None:
    for name in registry.names(kind):
        assert registry.load(kind, name) is not None


@pytest.mark.parametrize(
    ("kind", "word", "full"),
    [
        ("strategy", "random", "random-search"),
        ("strategy", "random_search", "random-search"),
        ("runner", "loc", "local"),
    ],
)
def test_a_beginning_is_enough(kind: str, word: str, full: str) -> None:
    assert registry.resolve(kind, word) == full


@pytest.mark.parametrize(
    ("kind", "word", "sentence"),
    [
        (
            "dataset",
            "cifar",
            "dataset 'cifar' is ambiguous: it begins cifar10, cifar10-16, cifar100",
        ),
        (
            "strategy",
            "pppo",
            "no strategy is called 'pppo'; there are critic, evolution, local-search, optuna, ",
        ),
        ("strategy", "", "no strategy is called ''; there are "),
        ("strategy", "x" * 500, r"no strategy is called 'xxx.*\.\.\.; there are "),
        (
            "strategies",
            "evolution",
            "no kind of part is called 'strategies'; there are .*did you mean 'strategy'",
        ),
        (
            "strategy",
            "nas.strategies.evolution:Nothing",
            "cannot be loaded: module .* has no attribute 'Nothing'",
        ),
        (
            "strategy",
            "nas.contracts:Proposal",
            "'nas.contracts:Proposal' is no strategy: expected a class that extends",
        ),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(
    kind: str, word: str, sentence: str
) -> None:
    registry.allow(word)
    with pytest.raises(NasError, match=sentence):
        registry.load(kind, word)


def test_a_full_name_is_never_ambiguous() -> None:
    assert registry.resolve("dataset", "cifar10") == "cifar10"


def test_an_argument_is_left_to_the_part() -> None:
    assert registry.load("strategy", "optuna:tpe") is registry.load("strategy", "optuna")


def test_a_part_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_strategy_file.py").write_text(
        "from nas.contracts import Strategy\n"
        "class Mine(Strategy):\n"
        "    def ask(self, number): return None\n"
        "    def tell(self, trial, evaluation): pass\n"
    )
    with pytest.raises(NasError, match="is named by a file and lies outside this package"):
        registry.load("strategy", "my_strategy_file:Mine")
    assert "my_strategy_file" not in sys.modules

    registry.allow("my_strategy_file:Mine")
    assert registry.load("strategy", "my_strategy_file:Mine").__name__ == "Mine"


def test_a_file_may_be_named_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "below").mkdir(parents=True)
    for place in ("my_path_file.py", "here/my_path_file.py", "here/below/my_path_file.py"):
        (tmp_path / place).write_text("my_own = object()\n")
    monkeypatch.chdir(tmp_path / "here")

    assert registry.spelled("./my_path_file.py:my_own") == "my_path_file:my_own"
    assert registry.spelled(f"{tmp_path}/here/below/my_path_file.py:x") == "below.my_path_file:x"
    assert registry.spelled("image-folder:pictures.py") == "image-folder:pictures.py"
    registry.allow("./my_path_file.py:my_own")
    assert registry.load("dataset", "./my_path_file.py:my_own") is not None
    with pytest.raises(NasError, match=r"there is no file './nowhere.py': expected my_file.py:My"):
        registry.allow("./nowhere.py:x")
    with pytest.raises(NasError, match=r"lies outside this folder: .* and say my_path_file.py:x"):
        registry.load("dataset", "../my_path_file.py:x")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import nowhere_at_all", "cannot be loaded: No module named 'nowhere_at_all'"),
        ("def half(", r"cannot be loaded: '\(' was never closed"),
        ("x = 1\ny = x / 0", r"ZeroDivisionError in line 2 of my_broken.py: division by zero"),
    ],
)
def test_a_broken_file_of_ones_own_gets_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_broken.py").write_text(text)
    registry.allow("my_broken:Mine")
    with pytest.raises(NasError, match=sentence):
        registry.load("strategy", "my_broken:Mine")
    sys.modules.pop("my_broken", None)


def test_parts_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("theirs", "nas.strategies.evolution:Evolution", "nas.strategy")
    monkeypatch.setattr(
        registry.importlib.metadata,
        "entry_points",
        lambda group: [point] if group == "nas.strategy" else [],
    )
    registry._entry_points.cache_clear()
    assert "theirs" in registry.names("strategy")
    assert registry.load("strategy", "theirs") is registry.load("strategy", "evolution")
    registry._entry_points.cache_clear()


def test_listing_imports_no_part() -> None:
    script = (
        "import sys; from nas import registry; [registry.names(kind) for kind in registry.KINDS]\n"
        "sys.exit(', '.join({'torch', 'optuna', 'ray', 'pandas', 'numpy'} & sys.modules.keys()) "
        "or 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])
