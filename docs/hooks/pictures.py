"""The pictures of the README: `python docs/hooks/pictures.py` runs the commands and draws what a
terminal shows, and looks at a published report with a headless browser."""

from __future__ import annotations

import html
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
REPORT = ROOT / "results" / "published" / "nasbench201" / "cifar10" / "report.html"
COMMANDS = (
    "nas search --space nasbench201 --evaluator table --strategy evolution --trials 150 --out study",
    "nas best study --top 2",
)
_WIDTH, _LINE, _CHARACTER = 104, 19, 8.4


def main() -> None:
    """Draw both."""
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for command in COMMANDS:
            lines += [f"$ {command}", *_printed(command, folder), ""]
    (PICTURES / "terminal.svg").write_text(terminal(lines[:-1]))
    _photograph(REPORT, PICTURES / "report.png")


def _printed(command: str, folder: str) -> list[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": str(_WIDTH)}
    answer = subprocess.run(
        command.split(), cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return answer.stdout.rstrip().splitlines()


def terminal(lines: Sequence[str]) -> str:
    """Lines as a terminal shows them; commands are brighter."""
    shown = [piece for line in lines for piece in _wrapped(line)]
    width, height = round(_WIDTH * _CHARACTER + 40), len(shown) * _LINE + 52
    rows = []
    for number, line in enumerate(shown):
        colour = "#ffffff" if line.startswith("$ ") else "#b8c7cf"
        rows.append(
            f'<text x="20" y="{48 + number * _LINE}" fill="{colour}" xml:space="preserve">'
            f"{html.escape(line)}</text>"
        )
    dots = "".join(
        f'<circle cx="{22 + 18 * number}" cy="16" r="5" fill="{colour}"/>'
        for number, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="ui-monospace, Menlo, Consolas, '
        'DejaVu Sans Mono, monospace" font-size="14">\n'
        f'<rect width="100%" height="100%" rx="8" fill="#1c262b"/>{dots}\n'
        + "\n".join(rows)
        + "\n</svg>\n"
    )


def _wrapped(line: str) -> list[str]:
    pieces = [line[start : start + _WIDTH] for start in range(0, len(line), _WIDTH)]
    return pieces or [""]


def _photograph(page: Path, picture: Path) -> None:
    with tempfile.TemporaryDirectory() as profile:
        options = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
        size = ("--window-size=1000,760", f"--user-data-dir={profile}")
        subprocess.run(
            ["chromium", *options, *size, f"--screenshot={picture}", page.as_uri()],
            check=True,
            capture_output=True,
        )


if __name__ == "__main__":
    main()
