"""What beginning with shared weights gained, from the two files of `run.sh`.

python results/published/inherited/table.py FOLDER   (writes table.md)
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from nas.reports.rank_agreement import Tau, mean_tau
from nas.reports.statistics import Floats, t_interval

ARMS = ("fresh", "inherited")
SEEDS = ("score_seed0", "score_seed1")


def main() -> None:
    """Differences are of the same genotypes with the same seeds."""
    folder = Path(sys.argv[1])
    rows = {}
    for arm in ARMS:
        with (folder / f"{arm}.csv").open() as file:
            rows[arm] = {row["key"]: row for row in csv.DictReader(file)}
    keys = sorted(set.intersection(*map(set, rows.values())))
    curves = {arm: floats([rows[arm][key]["curve"].split() for key in keys]) for arm in ARMS}
    scores = {arm: floats([[rows[arm][key][s] for s in SEEDS] for key in keys]) for arm in ARMS}

    epochs = curves["fresh"].shape[1]
    lines = [
        f"| of {epochs} epochs | at random | with shared weights | difference (95 %) |",
        "|---|---|---|---|",
    ]
    lines += [
        line(f"{epoch}, one seed", *(curves[arm][:, epoch - 1] for arm in ARMS))
        for epoch in sorted({1, epochs // 4, epochs // 2, epochs})
    ]
    lines.append(line(f"{epochs}, two seeds", *(scores[arm].mean(axis=1) for arm in ARMS)))
    again = {arm: mean_tau([tuple(scores[arm].T)]) for arm in ARMS}
    fresh, inherited = scores["fresh"], scores["inherited"]
    both = mean_tau([(fresh[:, one], inherited[:, 1 - one]) for one in (0, 1)])
    lines += [
        "",
        f"{len(keys)} genotypes. Kendall's tau of a training with another seed: at random "
        f"{told(again['fresh'])}, with shared weights {told(again['inherited'])}; of one with the "
        f"other {told(both)}.",
    ]
    (folder / "table.md").write_text("\n".join(lines) + "\n")


def floats(cells: list[list[str]]) -> Floats:
    """Cells as numbers."""
    return np.array(cells, dtype=np.float64)


def line(name: str, fresh: Floats, inherited: Floats) -> str:
    """A row of the table."""
    gained = inherited - fresh
    interval = t_interval(gained)
    known = "" if interval is None else f" ({interval[0]:+.3f} to {interval[1]:+.3f})"
    return f"| {name} | {fresh.mean():.3f} | {inherited.mean():.3f} | {gained.mean():+.3f}{known} |"


def told(tau: Tau) -> str:
    """A tau with its interval."""
    interval = "" if tau.low is None else f" ({tau.low:.2f} to {tau.high:.2f})"
    return f"{tau.value:.2f}{interval}"


if __name__ == "__main__":
    main()
