"""Print the ledger's rows and the table of arms from the published reports, as they stand in
results/README.md.

python results/published/ledger.py
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from nas.reports.sentences import interval_text

HERE = Path(__file__).parent


def main() -> None:
    """Print both."""
    reports = {path.parent.relative_to(HERE).as_posix(): json.loads(path.read_text())
               for path in sorted(HERE.glob("**/report.json"))}  # fmt: skip
    for name, report in reports.items():
        print(_row(name, report))
    for name, report in reports.items():
        print(f"\n**{name}**: {report['verdict']}\n")
        print(
            f"| arm | seeds | {report['outcome']['name']} | minus random search | verdict "
            "|\n|---|---|---|---|---|"
        )
        for line in _arms(report):
            print(line)


def _row(name: str, report: dict[str, Any]) -> str:
    facts = report["honesty"]
    seeds = min(arm["finished"] for arm in report["arms"])
    planned = len(json.loads((HERE / name / "compare.json").read_text())["seeds"])
    cores = facts["machines"][0]["cores"]
    machine = f"{cores} shared cores of an {facts['machines'][0]['cpu']}"
    commit = ", ".join(
        dict.fromkeys(f"`{commit.rstrip('+')[:8]}`" for commit in facts["commits"] if commit)
    )
    scores = "; ".join(f"{arm['label']} {_spread(arm['outcome'])}" for arm in report["arms"])
    hours = facts["total_wall_seconds"] / 3600
    command = f"sh results/published/{name.partition('/')[0]}/run.sh"
    cells = (
        _date(name),
        f"{name}, {seeds} of {planned} seeds",
        commit,
        machine,
        f"`{command}`",
        scores,
        f"{hours:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def _date(name: str) -> str:
    """Of the commit that brought the report."""
    git = ["git", "log", "-1", "--format=%as", "--", f"{name}/report.json"]
    return subprocess.run(git, cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()


def _spread(described: dict[str, Any]) -> str:
    if described["n"] < 2:
        return "–"
    digits = 2 if described["mean"] > 1 else 4  # per cent, or shares
    return f"{described['mean']:.{digits}f} ± {described['sd']:.{digits}f}"


def _arms(report: dict[str, Any]) -> list[str]:
    pairs = {row["arm"]: row for row in report["comparisons"]}
    rows = []
    for arm in report["arms"]:
        pair = pairs.get(arm["label"])
        difference = (
            ""
            if pair is None
            else f"{pair['mean_difference']:+.3f} ({interval_text(pair['interval'])})"
        )
        verdict = "" if pair is None else pair["verdict"]
        rows.append(
            f"| {arm['label']} | {arm['finished']} | {_spread(arm['outcome'])} | {difference} | "
            f"{verdict} |"
        )
    if report["sampling"] is None:
        return rows
    sampled = report["sampling"]["outcome"]
    rows.append(f"| random sampling | {sampled['n']} | {_spread(sampled)} | | |")
    return rows


if __name__ == "__main__":
    main()
