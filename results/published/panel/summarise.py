"""Writes results.json and prints the tables of the README.

python results/published/panel/summarise.py OUT
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from scipy.stats import t as student

from nas.reports.rank_agreement import mean_tau

HERE = Path(__file__).parent
RECORDS = HERE.parents[2] / "nas/tables/nasnet-cifar10.csv.gz"
PICTURES = ("imagenette-128", "tiny-imagenet-100")


def main() -> None:
    out = Path(sys.argv[1])
    names, scores = _scores(out)
    found: dict[str, Any] = {}
    for pictures in PICTURES:
        if (out / pictures / "result.json").exists():
            found[pictures] = _judged(out / pictures, names, scores)
    if len(found) == len(PICTURES):
        both = [[_means(found[pictures])[name] for name in names.values()] for pictures in PICTURES]
        found["between"] = _told([(np.array(both[0]), np.array(both[1]))])
    (HERE / "results.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({name: part for name, part in found.items() if name == "between"}))


def _scores(out: Path) -> tuple[dict[str, str], dict[str, float]]:
    """Arms' names by what they are called in the plan, and the scores of those that have one."""
    names = {"best-1": "searched"}
    keys = {"best-1": _key(json.loads((HERE / "winner.json").read_text()))}
    for line in (HERE / "cells.jsonl").read_text().splitlines():
        told = json.loads(line)
        names[told["name"]] = told["name"]
        if isinstance(told["genotype"], dict):
            keys[told["name"]] = _key(told["genotype"])
    names["resnet"] = "resnet"
    with gzip.open(RECORDS, "rt") as file:
        records = {row["key"]: float(row["score"]) for row in csv.DictReader(file)}
    scores = {name: records[key] for name, key in keys.items()}
    tries = [json.loads((out / f"nasnet-a-{seed}.json").read_text())["score"] for seed in range(3)]
    return names, {**scores, "nasnet-a": fmean(tries)}


def _key(genotype: dict[str, Any]) -> str:
    from search_spaces.cells.genotype import Genotype

    return Genotype.from_dict(genotype).key


def _judged(folder: Path, names: dict[str, str], scores: dict[str, float]) -> dict[str, Any]:
    tests = json.loads((folder / "result.json").read_text())["test"]
    top_1 = {name: [100 * test["top_1"] for test in tests[arm]] for name, arm in names.items()}
    top_5 = {name: [100 * test["top_5"] for test in tests[arm]] for name, arm in names.items()}
    scored = list(scores)
    means = np.array([fmean(top_1[name]) for name in scored])
    by_seed = np.array(list(top_1.values())).T
    random = [name for name in names if name.startswith("random-")]
    gaps = [
        top_1["best-1"][s] - fmean(top_1[name][s] for name in random) for s in range(len(by_seed))
    ]
    half = student.ppf(0.975, len(gaps) - 1) * stdev(gaps) / len(gaps) ** 0.5
    print(
        f"\n{folder.name}\n\n| arm | CIFAR-10, 16x16 | test top-1 | top-5 |\n|---|---:|---:|---:|"
    )
    for name in sorted(names, key=lambda name: -fmean(top_1[name])):
        score = f"{scores[name]:.4f}" if name in scores else ""
        five = f"{fmean(top_5[name]):.1f}"
        print(
            f"| {name} | {score} | {fmean(top_1[name]):.2f} ± {stdev(top_1[name]):.2f} | {five} |"
        )
    found = {
        "top_1": top_1,
        "top_5": top_5,
        "scores": scores,
        "tau": _told([(np.array([scores[name] for name in scored]), means)]),
        "tau between seeds": _told(list(combinations(by_seed, 2))),
        "best-1 minus random": {
            "mean": fmean(gaps),
            "low": fmean(gaps) - half,
            "high": fmean(gaps) + half,
            "each": {name: fmean(top_1["best-1"]) - fmean(top_1[name]) for name in random},
        },
        "best-1 minus resnet": fmean(top_1["best-1"]) - fmean(top_1["resnet"]),
    }
    print(json.dumps({name: found[name] for name in list(found)[3:]}, indent=1))
    return found


def _means(found: dict[str, Any]) -> dict[str, float]:
    names = {"best-1": "searched"}
    return {names.get(name, name): fmean(values) for name, values in found["top_1"].items()}


def _told(pairs: list[tuple[Any, Any]]) -> dict[str, float | None]:
    tau = mean_tau(pairs)
    return {"tau": tau.value, "low": tau.low, "high": tau.high}


if __name__ == "__main__":
    main()
