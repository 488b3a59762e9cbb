"""What winners of searches on the surrogate are worth when they are trained, as the records were.

python trained.py --winners COMPARISON SEEDS             the words that begin a search with them
python trained.py COMPARISON SEEDS TRAINED OUT           winners.csv, and the verdict

SEEDS is how many, from 9001 on.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from nas.reports.statistics import judged, paired
from nas.search.trials import trials_frame

ARMS, FIRST, MARGIN = ("policy-gradient", "random-search"), 9001, 0.005


def best_of(comparison: Path, seeds: int) -> dict[tuple[str, int], tuple[str, float]]:
    """Arm and seed; key of the winner, and its score on the surrogate."""
    found = {}
    for seed in range(FIRST, FIRST + seeds):
        for arm in ARMS:
            told = trials_frame(comparison / arm / f"seed-{seed}").query("state == 'told'")
            best = told.loc[told["score"].idxmax()]
            found[arm, seed] = best["key"], float(best["score"])
    return found


def main() -> None:
    """Print the words, or write what came out."""
    if sys.argv[1] == "--winners":
        comparison, seeds = Path(sys.argv[2]), int(sys.argv[3])
        found = best_of(comparison, seeds)
        for arm, seed in found:
            place = comparison / arm / f"seed-{seed}" / "best" / "genotype.json"
            print("--start-from", place)
        print("--trials", len({key for key, _ in found.values()}))
        return
    comparison, seeds, trained, out = (
        Path(sys.argv[1]),
        int(sys.argv[2]),
        Path(sys.argv[3]),
        Path(sys.argv[4]),
    )
    real = trials_frame(trained).drop_duplicates("key").set_index("key")["score"]
    found = best_of(comparison, seeds)
    with (out / "winners.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("arm", "seed", "key", "surrogate", "trained"))
        table.writerows(
            (arm, seed, key, score, float(real[key])) for (arm, seed), (key, score) in found.items()
        )
    gaps = [
        float(real[found[ARMS[0], seed][0]]) - float(real[found[ARMS[1], seed][0]])
        for seed in range(FIRST, FIRST + seeds)
    ]
    (one,) = judged([paired(gaps, MARGIN)], MARGIN)
    means = {
        arm: sum(float(real[key]) for (who, _), (key, _) in found.items() if who == arm) / seeds
        for arm in ARMS
    }
    print(means, one.paired.mean, one.paired.interval, one.p, one.verdict)


if __name__ == "__main__":
    main()
