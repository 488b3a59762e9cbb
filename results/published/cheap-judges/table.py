"""The table of cheap judges: Kendall's tau of each with a whole training, from the studies of
`run.sh`, or from the scores that are kept here.

python results/published/cheap-judges/table.py STUDIES FOLDER   (writes scores.csv and table.md)
python results/published/cheap-judges/table.py FOLDER           (writes table.md again)
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from nas.reports.rank_agreement import Tau, agreement, mean_tau
from nas.reports.statistics import Floats
from nas.search.tabulation import TableRow, joined

TRUE = ("true-0", "true-1")
CUTS = {"a quarter": 0.25, "half": 0.5}
TOGETHER = (
    ("short", "shared-170"),
    ("short", "shared-560"),
    ("short", "grasp"),
    ("short", "turned-gradients"),
    ("short", "shared-560", "turned-gradients"),
    ("shared-560", "turned-gradients"),
)
Scores = Mapping[str, Floats]


def main() -> None:
    """Keep the scores, where studies are given; then the table."""
    *studies, folder = map(Path, sys.argv[1:])
    if studies:
        folder.mkdir(parents=True, exist_ok=True)
        keep(studies[0], folder / "scores.csv")
    with (folder / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    costs, scores = rows[0], {name: floats(rows[1:], name) for name in rows[0] if name != "key"}
    (folder / "table.md").write_text("\n".join(table(scores, costs)) + "\n")


def keep(studies: Path, file: Path) -> None:
    """A row for each genotype that all judges judged: what each said; before them a row of
    seconds."""
    audits = sorted(path.parent for path in studies.glob("*/audit.json"))
    found = {audit.name: joined([audit / "cheap"]) for audit in audits}
    found |= {name: joined([studies / "short" / name]) for name in TRUE}
    by_key = {name: {row.genotype.key: row for row in rows} for name, rows in found.items()}
    keys = sorted(set.intersection(*map(set, by_key.values())))
    columns = {name: {key: rows[key].score for key in keys} for name, rows in by_key.items()}
    for name in TRUE:
        for words, share in CUTS.items():
            columns[f"{name} cut at {words}"] = {key: cut(by_key[name][key], share) for key in keys}
    seconds = {name: np.mean([rows[key].seconds for key in keys]) for name, rows in by_key.items()}
    with file.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["key", *columns])
        writer.writerow(["seconds", *(f"{seconds.get(name, 0):.3g}" for name in columns)])
        for key in keys:
            writer.writerow([key, *(f"{column[key]:.8g}" for column in columns.values())])


def cut(row: TableRow, share: float) -> float:
    """The score of a training after this share of its epochs; of one that was not trained, its
    end."""
    return row.curve[round(len(row.curve) * share) - 1] if row.curve else row.score


def floats(rows: Sequence[Mapping[str, str]], name: str) -> Floats:
    """A column."""
    return np.array([float(row[name]) for row in rows])


def table(scores: Scores, costs: Mapping[str, str]) -> Iterator[str]:
    """A line for each judge."""
    true = [scores[name].tolist() for name in TRUE]
    again = agreement(true[0], true)
    yield f"{again.genotypes} genotypes; a whole training takes {float(costs[TRUE[0]]):.2g} s."
    yield ""
    yield "| judge | tau | upper half | regret | top tenth | seconds |"
    yield "|---|---|---|---|---|---|"
    yield f"| a whole training, another seed | {words(again.again)} | | | | {costs[TRUE[0]]} |"
    yield f"| a judge without any noise | {again.perfect:.2f} | | | | |"
    every = [(name, agreement(said.tolist(), true)) for name, said in judges(scores)]
    for name, found in sorted(every, key=lambda one: -one[1].tau.value):
        cost = sum(float(costs.get(part, 0)) for part in name.split(" + "))
        yield (
            f"| {name} | {words(found.tau)} | {words(found.upper)} | "
            f"{found.regret:.3f} | {found.top_tenth:.0%} | {cost:.2g} |"
        )
    for share in CUTS:
        if f"{TRUE[0]} cut at {share}" not in scores:
            continue  # as of records, which keep the curve of one seed: a judge of its own
        early = {one: scores[f"{one} cut at {share}"] for one in TRUE}
        others = words(mean_tau([(early[one], scores[two]) for one, two in (TRUE, TRUE[::-1])]))
        own = words(mean_tau([(early[one], scores[one]) for one in TRUE]))
        yield f"| a whole training cut at {share}, against another seed | {others} | | | | |"
        yield f"| the same against its own end | {own} | | | | |"
    yield ""
    yield f"A random pick lacks {again.random_regret:.3f} to the best."


def judges(scores: Scores) -> Iterator[tuple[str, Floats]]:
    """Every judge, and some together: the mean of their ranks."""
    for name, said in scores.items():
        if not name.startswith("true-"):
            yield name, said
    for names in TOGETHER:
        if not scores.keys() >= {*names}:
            continue  # judges that are not there yet
        yield " + ".join(names), np.mean([ranks(scores[name]) for name in names], axis=0)


def ranks(said: Floats) -> Floats:
    """The rank of each, equals alike."""
    return np.array([(said < one).sum() + (said == one).sum() / 2 for one in said])


def words(tau: Tau) -> str:
    """Tau and its interval."""
    low, high = ("?" if end is None else f"{end:.2f}" for end in (tau.low, tau.high))
    return f"{tau.value:.2f} ({low} to {high})"


if __name__ == "__main__":
    main()
