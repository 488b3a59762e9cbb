"""The site of the documentation: it builds strictly, fetches nothing, and its reference is what the
code says."""

from __future__ import annotations

import html
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main

import nas
from nas import registry
from nas.cli import app

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs" / "hooks"))

from json_keys import FILE, QUICK, SLOW, measured  # noqa: E402
from reference import EVENTS, keys_of_events  # noqa: E402


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` does."""
    pytest.importorskip("material", reason="needs pip install 'nas-toolkit[docs]'")
    folder = tmp_path_factory.mktemp("site")
    words = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "mkdocs",
        "build",
        "--quiet",
        "--site-dir",
        str(folder),
    ]
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return folder


def shown(page: Path) -> str:
    """What a reader sees of a page."""
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text()))


def test_the_page_of_installing_names_every_extra_for_users() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = set(project["optional-dependencies"]) - {"docs", "dev", "release", "all"}
    page = (ROOT / "docs" / "installing.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == extras


def test_every_page_is_in_the_menu(site: Path) -> None:
    assert (site / "notebook.html").is_file()
    menu = (ROOT / "mkdocs.yml").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert f": {page.name}\n" in menu
        assert (site / page.with_suffix(".html").name).is_file()


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        fetched = re.findall(
            r'<(?:script|img|link|iframe)[^>]*(?:src|href)="(https?:[^"]*)', page.read_text()
        )
        assert not fetched, f"{page.name} fetches {fetched}"
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"url\(.?https?:", sheet.read_text()), sheet.name


def test_every_verb_stands_there_with_every_option(site: Path) -> None:
    text = shown(site / "reference" / "verbs.html")
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for verb, command in commands.items():
        part = text.partition(f"nas {verb}¶")[2].partition("¶")[0]
        shown_options = [each for each in command.params if not getattr(each, "hidden", False)]
        words = [word for option in shown_options for word in option.opts if word[0] == "-"]
        assert not [word for word in words if word not in part], verb


def test_every_part_stands_there_with_every_option(site: Path) -> None:
    page = (site / "reference" / "parts.html").read_text()
    for kind in registry.KINDS:
        for name in registry.names(kind):
            assert f'id="{kind}-{name}"' in page
    assert "--set strategy." in page
    assert "population" in page


def test_every_event_that_is_written_stands_there(site: Path) -> None:
    found = keys_of_events()
    assert found.keys() == EVENTS.keys()
    text = shown(site / "reference" / "events.html")
    for name, keys in found.items():
        part = text.partition(f"{name}¶")[2].partition("¶")[0]
        assert not [key for key in keys if key not in part], name
    assert {"genotype", "seed", "notes"} <= found["asked"]


def test_every_public_name_stands_there(site: Path) -> None:
    text = shown(site / "reference" / "python.html")
    assert not [name for name in nas.__all__ if f"nas.{name}¶" not in text]


def check_keys(found: dict[str, dict[str, str]], whole: set[str]) -> None:
    """What was printed is what is promised; of verbs in `whole`, all of it."""
    import json

    promised: dict[str, dict[str, str]] = json.loads(FILE.read_text())["verbs"]
    for verb, keys in found.items():
        for key, kinds in keys.items():
            assert key in promised[verb], f"{verb} prints {key}: python docs/hooks/json_keys.py"
            known = promised[verb][key].split(" or ")
            assert set(kinds.split(" or ")) <= set(known), f"{verb}: {key} is {kinds}"
        if verb in whole:
            gone = promised[verb].keys() - keys.keys()
            assert not gone, f"{verb} prints no {gone}: that breaks a promise of this format"


def test_json_has_the_keys_that_are_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    also_slow = {words[0] for words in SLOW}
    check_keys(measured(QUICK), {words[0] for words in QUICK} - also_slow | {"report.json"})


@pytest.mark.slow
def test_json_of_trainings_has_the_keys_that_are_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    Image.new("L", (8, 8)).save("picture.png")
    slow = {words[0] for words in SLOW}
    before = [words for words in QUICK if words[0] in slow]
    check_keys(measured([*before, *SLOW]), slow)
