"""What a page of docs/ shows: its files and its commands, as a reader would copy them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCED = re.compile(r"^```(\w+)(?: title=\"(.+?)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def write_files(page: str, folder: Path) -> list[str]:
    """Write every file that the page shows, and name them."""
    files = {title: text for _, title, text in _fenced(page) if title}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return list(files)


def commands(page: str) -> list[str]:
    """What stands behind the dollar signs of the page."""
    blocks = [text for language, _, text in _fenced(page) if language == "console"]
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def _fenced(page: str) -> list[tuple[str, str, str]]:
    """Every block: its language, the file it is saved as, its text."""
    return _FENCED.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A line of a page, in a folder outside the package."""
    words = shlex.split(command)
    if words[0] == "nas":
        words = ["-m", "nas", *words[1:]]
    else:
        del words[0]
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
