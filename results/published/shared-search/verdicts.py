"""Verdicts on the same winners: that of the weights they share, and that of real trainings; and
where there is another comparison, whose winners are better for real.

python verdicts.py --different COMPARISON            how many winners differ
python verdicts.py OUT COMPARISON TRAINED            winners.csv and verdicts.md in OUT
python verdicts.py OUT COMPARISON TRAINED OTHER ITS_TRAINED
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import NamedTuple

from nas.reports.statistics import Judged, judged, paired
from nas.search.trials import trials_frame

ARM, BASELINE, MARGIN = "policy-gradient", "random-search", 0.005


class Winner(NamedTuple):
    """The best of a search by the weights it shared, and what three trainings say of it."""

    key: str
    shared: float
    trained: float


def best_of(comparison: Path) -> dict[tuple[str, int], tuple[str, float]]:
    """Arm and seed; key of the winner, and its score by shared weights."""
    found = {}
    for arm in (ARM, BASELINE):
        for folder in (comparison / arm).glob("seed-*"):
            told = trials_frame(folder).query("state == 'told'")
            best = told.loc[told["score"].idxmax()]
            found[arm, int(folder.name.removeprefix("seed-"))] = best["key"], float(best["score"])
    return found


def winners(comparison: Path, trained: Path) -> dict[tuple[str, int], Winner]:
    """The same, with their trainings."""
    real = trials_frame(trained).drop_duplicates("key").set_index("key")["score"]
    return {
        search: Winner(key, shared, float(real[key]))
        for search, (key, shared) in best_of(comparison).items()
    }


def written(each: Judged) -> str:
    """A cell or two of the table."""
    low, high = each.paired.interval or (float("nan"), float("nan"))
    p = "" if each.p is None else f"{each.p:.4f}"
    return f"{each.paired.mean:+.4f} ({low:+.4f} to {high:+.4f}) | {p} | {each.verdict}"


def main() -> None:
    """Print the number, or write the table."""
    if sys.argv[1] == "--different":
        print(len({key for key, _ in best_of(Path(sys.argv[2])).values()}))
        return
    out, comparison, trained, *other = map(Path, sys.argv[1:])
    found = winners(comparison, trained)
    seeds = sorted({seed for _, seed in found})
    with (out / "winners.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("arm", "seed", "key", "shared", "trained"))
        table.writerows(sorted((arm, seed, *winner) for (arm, seed), winner in found.items()))

    differences = {
        "policy-gradient minus random search, by shared weights": [
            found[ARM, seed].shared - found[BASELINE, seed].shared for seed in seeds
        ],
        "the same, by three trainings": [
            found[ARM, seed].trained - found[BASELINE, seed].trained for seed in seeds
        ],
    }
    if other:
        before = winners(*other)
        differences |= {
            f"{arm}, weights that learn on minus still ones, by three trainings": [
                found[arm, seed].trained - before[arm, seed].trained for seed in seeds
            ]
            for arm in (ARM, BASELINE)
        }
    lines = ["| what | mean (95 %) | p, Holm | verdict |", "|---|---|---|---|"]
    several = [paired(each, MARGIN) for each in differences.values()]
    for name, each in zip(differences, judged(several, MARGIN), strict=True):
        lines.append(f"| {name} | {written(each)} |")
    (out / "verdicts.md").write_text("\n".join(lines) + "\n")
    print(json.dumps({"seeds": len(seeds), "trained": len({each.key for each in found.values()})}))


if __name__ == "__main__":
    main()
