"""Two verdicts on the same winners: that of the weights they share, and that of real trainings.

python verdicts.py --different COMPARISON            how many winners differ
python verdicts.py COMPARISON TRAINED OUT            winners.csv and verdicts.md in OUT
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from nas.reports.statistics import Judged, judged, paired
from nas.search.trials import trials_frame

ARM, BASELINE, MARGIN = "policy-gradient", "random-search", 0.005


def winners(comparison: Path) -> dict[tuple[str, int], tuple[str, float]]:
    """Arm and seed; key of the winner, and its score by shared weights."""
    found = {}
    for arm in (ARM, BASELINE):
        for folder in (comparison / arm).glob("seed-*"):
            told = trials_frame(folder).query("state == 'told'")
            best = told.loc[told["score"].idxmax()]
            found[arm, int(folder.name.removeprefix("seed-"))] = best["key"], float(best["score"])
    return found


def written(each: Judged) -> str:
    """A cell or two of the table."""
    low, high = each.paired.interval or (float("nan"), float("nan"))
    p = "" if each.p is None else f"{each.p:.4f}"
    return f"{each.paired.mean:+.4f} ({low:+.4f} to {high:+.4f}) | {p} | {each.verdict}"


def main() -> None:
    """Print the number, or write the table."""
    if sys.argv[1] == "--different":
        print(len({key for key, _ in winners(Path(sys.argv[2])).values()}))
        return
    comparison, trained, out = map(Path, sys.argv[1:])
    found, real = (
        winners(comparison),
        trials_frame(trained).drop_duplicates("key").set_index("key")["score"],
    )
    seeds = sorted({seed for _, seed in found})
    rows = [
        (arm, seed, key, shared, float(real[key])) for (arm, seed), (key, shared) in found.items()
    ]
    with (out / "winners.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("arm", "seed", "key", "shared", "trained"))
        table.writerows(sorted(rows))
    scores = {(arm, seed): (shared, own) for arm, seed, _, shared, own in rows}
    several = [
        paired([scores[ARM, seed][way] - scores[BASELINE, seed][way] for seed in seeds], MARGIN)
        for way in (0, 1)
    ]
    lines = ["| judged by | policy-gradient minus random search (95 %) | p | verdict |"]
    lines.append("|---|---|---|---|")
    for name, each in zip(
        ("shared weights", "three trainings"), judged(several, MARGIN), strict=True
    ):
        lines.append(f"| {name} | {written(each)} |")
    (out / "verdicts.md").write_text("\n".join(lines) + "\n")
    print(json.dumps({"seeds": len(seeds), "trained": len(real)}))


if __name__ == "__main__":
    main()
