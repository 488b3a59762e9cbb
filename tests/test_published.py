"""The scripts that results/README.md names for its rows and tables run on what is published."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PUBLISHED = Path(__file__).parents[1] / "results" / "published"


def told(script: str, *words: Path) -> str:
    run = subprocess.run(
        [sys.executable, PUBLISHED / script, *words], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_ledger_has_a_row_for_every_published_report() -> None:
    rows = told("ledger.py")
    for report in PUBLISHED.glob("**/report.json"):
        assert f"| {report.parent.relative_to(PUBLISHED).as_posix()}, " in rows


def test_pairs_stand_in_the_report_of_who_asked_for_them() -> None:
    """The figures that the README of a result tells are those of its own rows."""
    for name in ("digits-hard-critic", "critic-second-round/cifar100-more"):
        _, _, *rows = told("pairs.py", PUBLISHED / name).splitlines()
        written = (PUBLISHED / name.partition("/")[0] / "README.md").read_text()
        assert rows
        assert all(row in written for row in rows)
