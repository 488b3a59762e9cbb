"""Who found better cells, by what three trainings of each winner say of the test pictures.

python verdicts.py --winners STUDIES              each winner of the finished seeds, and its key
python verdicts.py STUDIES JUDGED OUT             winners.csv and verdicts.md in OUT
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from statistics import fmean, stdev

from nas.reports.statistics import Judged, judged, paired
from nas.search.comparing.plan import read_comparison
from nas.search.comparing.studies import pairs_of
from search_spaces.cells.genotype import Genotype

MARGIN = 0.005
FIRST = ("policy-gradient", "random-search")
OTHERS = (
    ("policy-gradient", "optuna-tpe"),
    ("policy-gradient", "critic"),
    ("critic", "random-search"),
    ("optuna-tpe", "random-search"),
)

Searches = dict[tuple[str, int], tuple[Path, str]]  # arm and seed: the winner's file and its key


def winners(studies: Path) -> Searches:
    """Those of the seeds of which all arms are done."""
    known = read_comparison(studies)
    assert known is not None, studies
    found = {}
    for seed in known["seeds"]:
        places = {arm: place for arm, each, place in pairs_of(studies) if each == seed}
        ended = [
            place / "best" / "genotype.json"
            for place in places.values()
            if (place / "best" / "genotype.json").is_file()
            and '"event":"finished"' in (place / "events.jsonl").read_text()
        ]
        if len(ended) == len(known["arms"]):
            for arm, file in zip(places, ended, strict=True):
                genotype = Genotype.from_dict(json.loads(file.read_text()))
                found[arm, seed] = file, genotype.key
    return found


def written(name: str, each: Judged) -> str:
    """A row of the table."""
    low, high = each.paired.interval or (float("nan"), float("nan"))
    p = "" if each.p is None else f"{each.p:.4f}"
    told = f"{each.paired.mean:+.4f} ({low:+.4f} to {high:+.4f})"
    return f"| {name} | {each.paired.seeds} | {told} | {p} | {each.verdict} |"


def main() -> None:
    """Print the winners, or write what came of them."""
    if sys.argv[1] == "--winners":
        for file, key in {
            key: (file, key) for file, key in winners(Path(sys.argv[2])).values()
        }.values():
            print(file, key)
        return
    studies, judged_at, out = map(Path, sys.argv[1:])
    found = winners(studies)
    tests = {
        key: [
            each["top_1"]
            for each in json.loads((judged_at / key / "result.json").read_text())["test"]
        ]
        for _, key in found.values()
    }
    with (out / "winners.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("arm", "seed", "key", "test_seed900", "test_seed901", "test_seed902"))
        table.writerows((arm, seed, key, *tests[key]) for (arm, seed), (_, key) in found.items())
    worth = {search: fmean(tests[key]) for search, (_, key) in found.items()}
    seeds = sorted({seed for _, seed in worth})

    def gaps(one: str, other: str) -> list[float]:
        return [worth[one, seed] - worth[other, seed] for seed in seeds]

    lines = ["| arm | winners |", "|---|---|"]
    for arm in dict.fromkeys(arm for arm, _ in worth):
        values = [worth[arm, seed] for seed in seeds]
        lines.append(f"| {arm} | {fmean(values):.4f} ± {stdev(values):.4f} |")
    lines += [
        "",
        "| pair | seeds | mean difference (95 %) | p | verdict |",
        "|---|---:|---|---:|---|",
    ]
    lines.append(written(" minus ".join(FIRST), *judged([paired(gaps(*FIRST), MARGIN)], MARGIN)))
    rest = judged([paired(gaps(*pair), MARGIN) for pair in OTHERS], MARGIN)
    lines += [written(" minus ".join(pair), each) for pair, each in zip(OTHERS, rest, strict=True)]
    (out / "verdicts.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
