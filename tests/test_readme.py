"""What the README shows is true: its commands run, its tables are generated, its links lead
somewhere.

`python tests/test_readme.py` writes the tables anew.
"""

import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from nas import registry
from nas.drawings.surroundings import surroundings
from search_spaces import zoo
from search_spaces.cells.cost import cost

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TABLE = re.compile(r"<!-- table: (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)


def zoo_table() -> str:
    rows = [
        "| cell | skeleton | published | parameters here | multiply-adds here |",
        "|---|---|---|---:|---:|",
    ]
    for name in zoo.names():
        entry = zoo.load(name)
        for skeleton in entry.skeletons:
            counted = cost(
                entry.genotype, surroundings(entry.genotype, skeleton, {}, entry).skeleton
            )
            published = _published(entry.published.get(skeleton, {}))
            rows.append(
                f"| {name} | {skeleton} | {published} | {counted.params:,} | {counted.macs:,} |"
            )
    return "\n".join(rows) + "\n"


def _published(figures: zoo.Published) -> str:
    words = {
        "params": "parameters",
        "params_with_statistics": "with statistics",
        "macs": "multiply-adds",
    }
    said = ", ".join(f"{figures[name]} {word}" for name, word in words.items() if name in figures)
    return said + (" (needs its own network)" if figures.get("reproduced") is False else "")


def strategies_table() -> str:
    rows = ["| `--strategy` | what it does |", "|---|---|"]
    for name in registry.names("strategy"):
        promise = (
            (inspect.getdoc(registry.load("strategy", name)) or "")
            .partition("\n\n")[0]
            .replace("\n", " ")
        )
        rows.append(f"| `{name}` | {promise} |")
    return "\n".join(rows) + "\n"


TABLES: dict[str, Callable[[], str]] = {"zoo": zoo_table, "strategies": strategies_table}


def with_tables(text: str) -> str:
    return TABLE.sub(
        lambda found: f"<!-- table: {found[1]} -->\n{TABLES[found[1]]()}<!-- end -->", text
    )


def commands() -> list[str]:
    """Every `$ command` of the README, in order."""
    return re.findall(r"^\$ (.+)$", README.read_text(), re.MULTILINE)


def test_tables_are_generated() -> None:
    text = README.read_text()
    assert {found[1] for found in TABLE.finditer(text)} == TABLES.keys()
    assert with_tables(text) == text, "run `python tests/test_readme.py`"


def test_links_and_pictures_exist() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text()):
        assert (ROOT / target).exists(), f"README points to {target}"


def test_the_two_commands_are_targets_and_ci_runs_the_second() -> None:
    shown = re.findall(r"^make (\w+)", README.read_text(), re.MULTILINE)
    assert shown == ["demo", "test"]
    for target in shown:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_commands_run(tmp_path: Path) -> None:
    """One after another, in an empty folder, as a reader would type them."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    assert commands()
    for command in commands():
        answer = subprocess.run(
            shlex.split(command),
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
        )
        assert answer.returncode == 0, f"{command}: {answer.stderr}"


def test_the_lines_of_python_run(tmp_path: Path) -> None:
    """As they stand, in an empty folder."""
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    answer = subprocess.run(
        [sys.executable, "-c", blocks[0]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    assert "random-search" in answer.stdout


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
