"""Pairs of arms of published comparisons beside those with random search, seed by seed.

python results/published/pairs.py FOLDER...
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from pathlib import Path

from nas.reports.statistics import judged, paired

PAIRS = (
    ("policy-gradient", "critic"),
    ("policy-gradient", "optuna-tpe"),
    ("critic", "optuna-tpe"),
    ("policy-gradient", "optuna-gp"),
    ("critic", "optuna-gp"),
)


def outcomes(folder: Path) -> dict[str, dict[int, float]]:
    """What winners are judged by, by arm and seed."""
    found: dict[str, dict[int, float]] = {}
    content = gzip.decompress((folder / "studies.csv.gz").read_bytes()).decode()
    for row in csv.DictReader(io.StringIO(content)):
        found.setdefault(row["arm"], {})[int(row["seed"])] = float(row["outcome"])
    return found


def main() -> None:
    """Print them; p is adjusted by Holm over the pairs of a comparison."""
    print("| part | pair | seeds | mean difference (95 %) | p, Holm |\n|---|---|---:|---|---:|")
    for folder in map(Path, sys.argv[1:]):
        rows = outcomes(folder)
        margin = json.loads((folder / "compare.json").read_text())["margin"]
        pairs = [(one, other) for one, other in PAIRS if {one, other} <= rows.keys()]
        several = [
            paired([rows[one][seed] - rows[other][seed] for seed in sorted(rows[one])], margin)
            for one, other in pairs
        ]
        for (one, other), each in zip(pairs, judged(several, margin), strict=True):
            low, high = each.paired.interval or (float("nan"), float("nan"))
            gap = f"{each.paired.mean:+.3f} ({low:+.3f} to {high:+.3f})"
            p = "" if each.p is None else f"{each.p:.4f}"
            print(f"| {folder.name} | {one} minus {other} | {len(rows[one])} | {gap} | {p} |")


if __name__ == "__main__":
    main()
