"""Chooses the cells of the panel from the records, before anything of it is trained: winner.json
and cells.jsonl.

python results/published/panel/choose.py
"""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

from nas.full_size.fitting import Target, fitted
from nas.seeding import numpy_rng
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton
from search_spaces.nasnet import NasnetSpace

HERE = Path(__file__).parent
RECORDS = HERE.parents[2] / "nas/tables/nasnet-cifar10.csv.gz"
TARGET = Target(macs=6_150_000, within=3)
AROUND = Skeleton(layout="imagenet", cells_per_stage=1, image_size=64, stem_filters=32)
WIDEST_STEM = (
    44  # cells that need more to come within 3 % are left out: their stems would differ too much
)


def main() -> None:
    space = NasnetSpace()
    eligible = []
    with gzip.open(RECORDS, "rt") as file:
        for number, row in enumerate(csv.DictReader(file)):
            choices = [
                [str(option) for option in d.options].index(row[d.name]) for d in space.decisions
            ]
            genotype = space.decode(choices)
            if fitted(genotype, AROUND, TARGET).stem_width <= WIDEST_STEM:
                eligible.append((number, genotype, float(row["score"]), bool(row["score_seed2"])))
    thrice = sorted((each for each in eligible if each[3]), key=lambda each: -each[2])
    middle = len(thrice) // 2 - 1
    parts = {"best": thrice[:3], "middle": thrice[middle : middle + 2], "worst": thrice[-2:]}
    taken = {number for part in parts.values() for number, *_ in part}
    left = [each for each in eligible if each[0] not in taken]
    parts["random"] = [left[n] for n in numpy_rng(0, "panel").choice(len(left), 3, replace=False)]
    print(f"{len(eligible)} of the records fit, {len(thrice)} of them with three seeds")
    lines = []
    for kind, members in parts.items():
        for rank, (number, genotype, score, _) in enumerate(members, start=1):
            print(f"{kind}-{rank}: record {number}, {score}")
            lines.append(line(f"{kind}-{rank}", genotype, score))
    (HERE / "winner.json").write_text(json.dumps(thrice[0][1].to_dict()) + "\n")
    lines = [*lines[1:], json.dumps({"name": "nasnet-a", "genotype": "nasnet-a"})]
    (HERE / "cells.jsonl").write_text("\n".join(lines) + "\n")


def line(name: str, genotype: Genotype, score: float) -> str:
    return json.dumps({"name": name, "genotype": genotype.to_dict(), "score": score})


if __name__ == "__main__":
    main()
