"""What the README and the pages of docs/ show is true: their commands and code run, their tables
are generated, their links lead somewhere.

A block that cannot run here says so in the line above it, where the reader sees it:
`*Not run by our tests: needs a cluster.*`, or `*Run by our slow tests: takes a minute.*`, or
`*Run by tests/FILE: with a stand-in.*`. `python tests/test_pages.py` writes the tables anew.
"""

from __future__ import annotations

import inspect
import io
import json
import os
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from nas import registry
from nas.drawings.surroundings import surroundings
from nas.seeding import numpy_rng
from parts.command_line import nas
from search_spaces import zoo
from search_spaces.cells.cost import cost

ROOT = Path(__file__).parent.parent
PAGES = {
    page.relative_to(ROOT).as_posix(): page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
TABLE = re.compile(r"<!-- table: (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)
SHOWN_ONLY = ("text", "toml", "yaml", "json")  # nothing to run
RUN = ("console", "python", "pycon")
# Pages of which each line is run from outside the package, by a test of their own.
RUN_ELSEWHERE = {"docs/own-parts.md": "tests/door/test_own_parts.py"}
MARK = re.compile(r"\*(Not run by our tests|Run by our slow tests|Run by tests/\S+): (.+)\*")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code of a page.

    Args:
        title: the file it is saved as, where the page names one.
        mark: who runs it instead of the quick tests.
    """

    line: int
    language: str
    title: str | None
    mark: str | None
    text: str


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


def blocks(page: Path) -> list[Block]:
    """Every block of a page, in order."""
    found, before, lines = [], "", iter(enumerate(page.read_text().splitlines(), start=1))
    for number, line in lines:
        fence = re.match(r"( *)```(\w*)(.*)", line)
        if fence is None:
            before = line if line.strip() else before
            continue
        inside = []
        for _, text in lines:
            if text.strip() == "```":
                break
            inside.append(text.removeprefix(fence[1]))
        title = re.search(r'title="(.+?)"', fence[3])
        mark = MARK.fullmatch(before.strip())
        text = "\n".join(inside) + "\n"
        found.append(Block(number, fence[2], title and title[1], mark and mark[1], text))
        before = ""
    return found


def commands(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a block of the terminal, with the lines that it is shown to print."""
    command: str | None = None
    shown: list[str] = []
    for line in [*block.text.replace("\\\n", " ").splitlines(), "$ "]:
        if line.startswith("$ "):
            if command is not None:
                yield command, shown
            command, shown = line.removeprefix("$ "), []
        elif line.strip():
            shown.append(line)


def run_page(page: str, folder: Path, *, slow: bool) -> None:
    """Run its blocks one after another in this folder, as a reader would."""
    prepare(folder, PAGES[page].read_text())
    for block in blocks(PAGES[page]):
        if block.title is not None:
            (folder / block.title).write_text(block.text)  # for the commands below it
            continue
        if block.mark is not None and not (slow and "slow" in block.mark):
            continue
        where = f"{page}:{block.line}"
        if block.language == "python":
            run_python(block.text, folder, where)
        if block.language == "console":
            for command, shown in commands(block):
                check_shown(run_command(command, folder, where), shown, f"{where}: {command}")


def run_command(command: str, folder: Path, where: str) -> str:
    """What a command prints: of ours in this process, where it starts no others, else in a
    shell."""
    words = shlex.split(command)
    starts_others = words[1] == "compare" or {"|", ">", "&&", "--latency-command"} & set(words)
    if words[0] == "nas" and not starts_others:
        answer = nas(*words[1:])
        assert answer.code == 0, f"{where}: {command}: {answer.err}"
        return answer.out + answer.err
    return run_outside(["sh", "-c", command], folder, f"{where}: {command}")


def run_python(text: str, folder: Path, where: str) -> str:
    """What a script prints, in this process, which has loaded torch already."""
    out = io.StringIO()
    with chdir(folder), redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("default")  # as where users are
        sys.path.insert(0, str(folder))
        try:
            exec(compile(text, where, "exec"), {"__name__": "__main__"})
        except Exception as problem:
            raise AssertionError(f"{where}: {problem!r}") from problem
        finally:
            sys.path.remove(str(folder))
    return out.getvalue()


def run_outside(words: list[str], folder: Path, where: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    answer = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, f"{where}: {answer.stderr}"
    return answer.stdout + answer.stderr


def check_shown(printed: str, shown: list[str], where: str) -> None:
    """Each shown line is printed; three dots stand for anything."""
    said = " ".join(printed.split())
    for line in shown:
        pattern = ".*?".join(re.escape(" ".join(part.split())) for part in line.split("..."))
        assert re.search(pattern, said), f"{where} does not print {line!r} but {printed}"


def prepare(folder: Path, text: str) -> None:
    """What pages expect their readers to have: folders of pictures, a picture."""
    if "photos" not in text:
        return
    from PIL import Image

    rng = numpy_rng(0, "pages")
    for name, classes in (("photos", ("cat", "dog")), ("other-photos", ("day", "night", "rain"))):
        for label, kind in enumerate(classes):
            (folder / name / kind).mkdir(parents=True)
            for number in range(20):
                pixels = rng.integers(0, 120, (24, 24, 3))
                pixels[..., label] += 120
                picture = Image.fromarray(pixels.astype(np.uint8))
                picture.save(folder / name / kind / f"{number}.jpg")
    picture.save(folder / "photo.jpg")


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page: str) -> None:
    for block in blocks(PAGES[page]):
        where = f"{page}:{block.line}"
        assert block.language, f"{where}: a block names its language"
        if block.language in RUN or block.language in SHOWN_ONLY:
            continue
        assert block.mark, f"{where}: nothing runs {block.language}; say so in the line above it"
    for who in re.findall(r"[Rr]un by (tests/\S+)[:,]", PAGES[page].read_text()):
        assert (ROOT / who).is_file()
        assert Path(page).name in (ROOT / who).read_text()


def of_mark(slow: bool) -> list[str]:
    """Pages with blocks for the quick tests, or for the slow ones."""
    wanted: Callable[[Block], bool] = (
        (lambda block: "slow" in (block.mark or "")) if slow else (lambda block: not block.mark)
    )
    return [
        page
        for page, file in PAGES.items()
        if page not in RUN_ELSEWHERE
        and any(block.language in RUN and wanted(block) for block in blocks(file))
    ]


@pytest.mark.parametrize("page", of_mark(slow=False))
def test_its_commands_and_code_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(page, tmp_path, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", of_mark(slow=True))
def test_all_its_commands_and_code_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(page, tmp_path, slow=True)


def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    """One cell after another, in one process, as a kernel would."""
    content = json.loads((ROOT / "docs" / "notebook.ipynb").read_text())
    assert content["nbformat"] == 4
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert not [cell for cell in cells if cell["outputs"]], "commit it without outputs"
    run_python("\n".join("".join(cell["source"]) for cell in cells), tmp_path, "notebook.ipynb")
    assert (tmp_path / "results" / "full" / "best" / "model.py").is_file()


def test_a_command_that_fails_or_prints_something_else_is_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no strategy is called"):
        run_command("nas describe strategy evolutoin", tmp_path, "here")
    printed = run_command("nas describe strategy evolution", tmp_path, "here")
    check_shown(printed, ["Regularised evolution ... 2019"], "here")
    with pytest.raises(AssertionError, match="does not print"):
        check_shown(printed, ["Simulated annealing"], "here")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run_python("1 / 0", tmp_path, "here")


def test_tables_are_generated() -> None:
    found = set()
    for page in PAGES.values():
        text = page.read_text()
        found |= {table[1] for table in TABLE.finditer(text)}
        assert with_tables(text) == text, "run `python tests/test_pages.py`"
    assert found == TABLES.keys()


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_exist(page: str) -> None:
    file = PAGES[page]
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", file.read_text()):
        is_made = target.startswith("reference/")
        assert is_made or (file.parent / target).exists(), f"{page} points to {target}"


def test_the_two_commands_are_targets_and_ci_runs_the_second() -> None:
    shown = re.findall(r"^make (\w+)", PAGES["README.md"].read_text(), re.MULTILINE)
    assert shown == ["demo", "test"]
    for target in shown:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)
    assert "make test" in (ROOT / ".ci" / "run").read_text()


if __name__ == "__main__":
    for page in PAGES.values():
        page.write_text(with_tables(page.read_text()))
