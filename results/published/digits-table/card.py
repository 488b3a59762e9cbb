"""Put the table that was made into the package, with its card and every figure that the card names.

python results/published/digits-table/card.py STUDIES [nasbench201.csv.gz]

STUDIES is the folder that `run.sh` worked in; the published table of NAS-Bench-201 is compared with
ours where it is at hand.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import shutil
import sys
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from nas.evaluators.table import SHIPPED, Table
from nas.registry import load
from nas.study.store import read_events
from nas.training.datasets import open_dataset

NAME = "nasbench201-digits"
OPS = "01234"  # of the published table, in the order of our options


def main() -> None:
    """Copy the table; write the figures and the card beside it."""
    studies = Path(sys.argv[1])
    SHIPPED.mkdir(exist_ok=True)
    table = SHIPPED / f"{NAME}.csv.gz"
    shutil.copy(studies / table.name, table)
    facts: dict[str, Any] = {**of_the_table(table), **of_the_making(studies)}
    if len(sys.argv) > 2:
        facts["tau_with_published"] = beside_published(table, Path(sys.argv[2]))
    (SHIPPED / f"{NAME}.json").write_text(json.dumps(facts, indent=1) + "\n")
    (SHIPPED / f"{NAME}.md").write_text(card(facts))


def of_the_table(table: Path) -> dict[str, object]:
    """How far architectures lie apart, and how far seeds do."""
    with gzip.open(table, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    seeds = [name for name in rows[0] if name.startswith("score_seed")]
    scores = np.array([[float(row[name]) for name in seeds] for row in rows])
    means = scores.mean(1)
    between_seeds = float(np.sqrt(scores.var(1, ddof=1).mean()))
    return {
        "sha256": hashlib.sha256(table.read_bytes()).hexdigest(),
        "bytes": table.stat().st_size,
        "rows": len(rows),
        "seeds": len(seeds),
        "score": {
            "mean": fmean(means),
            "lowest": float(means.min()),
            "highest": float(means.max()),
            "quantiles": dict(
                zip(
                    ("5 %", "25 %", "50 %", "75 %", "95 %"),
                    np.quantile(means, (0.05, 0.25, 0.5, 0.75, 0.95)).tolist(),
                    strict=True,
                )
            ),
        },
        "sd_between_architectures": float(means.std(ddof=1)),
        "sd_between_seeds": between_seeds,
        "range_in_sd_of_seeds": float(np.ptp(means)) / between_seeds,
        "tau_between_seeds": {
            f"{a} and {b}": tau(scores[:, a], scores[:, b])
            for a, b in combinations(range(len(seeds)), 2)
        },
        "distinct_scores_of_a_seed": len(set(scores[:, 0])),
    }


def of_the_making(studies: Path) -> dict[str, object]:
    """What the studies say about their settings, their machine and their time."""
    folders = sorted(studies.glob("seed-*"))
    settings = json.loads((folders[0] / "study.json").read_text())
    ends = [event for folder in folders for _, event in read_events(folder / "events.jsonl")]
    told = [event for event in ends if event["event"] == "told"]
    failed = sum(event["event"] == "failed" for event in ends)
    return {
        "hours_of_training": sum(event["seconds"] for event in told) / 3600,
        "trained": len(told),
        "failed": failed,
        "study": settings,
    }


def beside_published(table: Path, published: Path) -> dict[str, float]:
    """Kendall's tau over all 15,625 architectures between our mean score and published columns, and
    of plain sizes."""
    space = load("space", "nasbench201")()
    ours = Table(space, table=str(table))
    with gzip.open(published, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    genotypes = [space.decode(tuple(OPS.index(digit) for digit in row["ops"])) for row in rows]
    scores = [
        ours.evaluate(genotype, seed=0, workdir=Path(), report=lambda *_: True).score
        for genotype in genotypes
    ]
    names = ("c10_val_200", "c10_test_200", "c10_val_12", "c100_test_200", "in16_test_200")
    columns = {name: [float(row[name]) for row in rows] for name in names}
    found = {f"ours and {name}": tau(scores, column) for name, column in columns.items()}
    good = [index for index, score in enumerate(columns["c10_test_200"]) if score >= 90]
    found[f"ours and c10_test_200, the {len(good)} above 90 %"] = tau(
        [scores[index] for index in good], [columns["c10_test_200"][index] for index in good]
    )
    params = [float(row["params"]) for row in rows]
    found["params and c10_test_200"] = tau(params, columns["c10_test_200"])
    found["ours and params"] = tau(scores, params)
    found["c10_val_12 and c10_test_200"] = tau(columns["c10_val_12"], columns["c10_test_200"])
    return found


def card(facts: dict[str, Any]) -> str:
    """The words of the template around the figures."""
    score, study = facts["score"], facts["study"]
    words = {
        **facts,
        **study["hardware"],
        **study["versions"],
        "name": NAME,
        "validation": len(open_dataset("digits").load("val")),
        "commit": study["commit"][:8],
        "lowest": score["lowest"],
        "highest": score["highest"],
        "mean": score["mean"],
        "quantiles": ", ".join(f"{name} {value:.3f}" for name, value in score["quantiles"].items()),
        "ratio": facts["sd_between_architectures"] / facts["sd_between_seeds"],
        "taus": ", ".join(
            (f"{value:.3f} (seeds {name})") for name, value in facts["tau_between_seeds"].items()
        ),
        "published": _rows(facts.get("tau_with_published", {})),
    }
    template = (Path(__file__).parent / "card.template.md").read_text()
    return template.format_map(words)


def _rows(taus: dict[str, float]) -> str:
    return "\n".join(f"| {name} | {value:.3f} |" for name, value in taus.items())


def tau(one: object, other: object) -> float:
    """Kendall's tau-b."""
    return float(kendalltau(one, other).statistic)


if __name__ == "__main__":
    main()
