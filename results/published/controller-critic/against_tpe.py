"""The paired test of the plan: each arm minus Optuna's TPE, seed by seed; p is not adjusted yet."""

from __future__ import annotations

import csv
import gzip
import io
import sys
from pathlib import Path

import numpy as np

from nas.seeding import numpy_rng

HERE = Path(__file__).parent
DRAWS = 100_000


def outcomes(part: str) -> dict[str, dict[int, float]]:
    """What winners are judged by, by arm and seed."""
    found: dict[str, dict[int, float]] = {}
    content = gzip.decompress((HERE / part / "studies.csv.gz").read_bytes()).decode()
    for row in csv.DictReader(io.StringIO(content)):
        found.setdefault(row["arm"], {})[int(row["seed"])] = float(row["outcome"])
    return found


def compared(part: str, arm: str, other: str) -> tuple[int, float, float, float, float]:
    """Pairs, mean difference, its 95 % interval (bootstrap), and p of a permutation of signs."""
    rows = outcomes(part)
    seeds = sorted(rows[arm].keys() & rows[other].keys())
    gaps = np.array([rows[arm][seed] - rows[other][seed] for seed in seeds])
    rng = numpy_rng(0, "against", part, arm)
    picks = rng.integers(len(gaps), size=(10_000, len(gaps)))
    low, high = np.quantile(gaps[picks].mean(1), [0.025, 0.975])
    extreme = 0
    for _ in range(DRAWS // 1_000):
        signs = rng.integers(2, size=(1_000, len(gaps))) * 2 - 1
        extreme += int((np.abs((signs * gaps).mean(1)) >= abs(gaps.mean()) - 1e-12).sum())
    return len(gaps), float(gaps.mean()), float(low), float(high), (extreme + 1) / (DRAWS + 1)


def main() -> None:
    """A table for the parts named, or for every part that is there."""
    parts = sys.argv[1:] or sorted(path.parent.name for path in HERE.glob("*/studies.csv.gz"))
    print("| part | arm | seeds | minus optuna-tpe | p |\n|---|---|---|---|---|")
    for arm in ("policy-gradient", "critic", "plain", "local-search"):
        for part in parts:
            if arm in outcomes(part):
                count, mean, low, high, p = compared(part, arm, "optuna-tpe")
                gap = f"{mean:+.3f} ({low:.3f} to {high:.3f})"
                print(f"| {part} | {arm} | {count} | {gap} | {p:.5f} |")


if __name__ == "__main__":
    main()
