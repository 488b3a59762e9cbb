"""The benchmark runner: names, help, and refusal."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks import walk

ROOT = Path(__file__).parent.parent


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *words], capture_output=True, text=True, cwd=ROOT
    )


def test_an_unknown_benchmark_is_refused_with_the_known_ones() -> None:
    answer = run("no-such-thing")
    assert answer.returncode == 2
    assert "no benchmark is called 'no-such-thing'; there are " in answer.stderr


def test_every_benchmark_is_listed() -> None:
    names = [
        file.stem for file in (ROOT / "benchmarks").glob("*.py") if not file.stem.startswith("_")
    ]
    assert names
    assert all(name in run("--help").stdout for name in names)


def test_a_cheap_search_enters_few_files_and_a_trial_changes_file_seldom() -> None:
    """The way through the house stays short: what only some studies need is entered by those."""
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.walk", "--json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    walked = json.loads(answer.stdout)
    assert walked["files"] <= walk.MOST_FILES, walked["names"]
    assert walked["changes"] <= walk.MOST_CHANGES
