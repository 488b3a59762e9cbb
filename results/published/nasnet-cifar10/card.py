"""Put the records into the package, with their card and every figure that the card names; pictures
of the best and the worst cells beside this file.

python results/published/nasnet-cifar10/card.py RECORDS STUDIES

RECORDS is the file that `run.sh` wrote, STUDIES the folder that it worked in.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.drawings.svg import cells_svg
from nas.evaluators._record_rows import TableRow, read_rows
from nas.evaluators._surrogate_model import Model
from nas.evaluators._table_file import open_table
from nas.evaluators.table import SHIPPED
from nas.registry import load
from nas.seeding import numpy_rng
from nas.study.kendall import Tau, ceiling, mean_tau
from nas.study.store import read_events
from search_spaces.cells.genotype import OP_NAMES

NAME = "nasnet-cifar10"
HERE = Path(__file__).parent
DRAWS = 20_000  # of the best of K
SHOWN = 2  # cells at each end

Floats = NDArray[np.float64]


def main() -> None:
    """Copy the records; write figures, card and pictures."""
    records, studies = map(Path, sys.argv[1:3])
    SHIPPED.mkdir(exist_ok=True)
    table = SHIPPED / f"{NAME}.csv.gz"
    if records.resolve() != table.resolve():
        shutil.copy(records, table)
    space = load("space", "nasnet")()
    rows = read_rows(open_table(table), space)
    worth = Model.of(space, rows).worth
    facts: dict[str, Any] = {
        "sha256": hashlib.sha256(table.read_bytes()).hexdigest(),
        **of_the_scores(rows),
        **of_the_seeds(rows),
        "foretelling": foretelling(rows),
        "surrogate": worth.to_dict(),
        "told": worth.told,
        **of_the_making(studies),
    }
    (SHIPPED / f"{NAME}.json").write_text(json.dumps(facts, indent=1) + "\n")
    (SHIPPED / f"{NAME}.md").write_text(card(facts))
    draw(rows)


def of_the_scores(rows: Sequence[TableRow]) -> dict[str, Any]:
    """How many there are, and where their scores lie."""
    scores = np.array([row.score for row in rows])
    shares = (0.05, 0.25, 0.5, 0.75, 0.95)
    return {
        "rows": len(rows),
        "neighbours": sum(row.neighbour_of is not None for row in rows),
        "trainings": sum(map(_count, rows)),
        "mean": float(scores.mean()),
        "lowest": float(scores.min()),
        "highest": float(scores.max()),
        "quantiles": dict(zip(map(str, shares), np.quantile(scores, shares).tolist(), strict=True)),
        "seconds": float(np.mean([row.seconds for row in rows])),
        "hours": sum(row.seconds * _count(row) for row in rows) / 3600,
    }


def _count(row: TableRow) -> int:
    """How many seeds trained it."""
    return sum(score is not None for score in row.scores)


def of_the_seeds(rows: Sequence[TableRow]) -> dict[str, Any]:
    """What one training says about another of the same architecture."""
    known = [row.scores for row in rows if None not in row.scores and len(row.scores) > 1]
    table = np.array(known, dtype=float)
    count, seeds = table.shape
    pairs = [(table[:, a], table[:, b]) for a in range(seeds) for b in range(seeds) if a < b]
    again = mean_tau(pairs)
    within = float(table.var(axis=1, ddof=1).mean())
    between = float(table.mean(axis=1).var(ddof=1)) - within / seeds
    return {
        "repeated": count,
        "tau_between_seeds": written(again),
        "perfect": ceiling(again.value),
        "sd_between_seeds": within**0.5,
        "sd_between_architectures": max(0.0, between) ** 0.5,
        "best_of": [best_of(table, many) for many in (5, 10, 20) if many < count],
    }


def best_of(table: Floats, many: int) -> dict[str, float]:
    """The best of so many by one seed: what that seed said of it, what another says, and what the
    best by all seeds would have had there."""
    rng, (count, seeds) = numpy_rng(0, "best of", many), table.shape
    found = []
    for _ in range(DRAWS):
        some = rng.choice(count, many, replace=False)
        first, second = rng.choice(seeds, 2, replace=False)
        chosen = some[table[some, first].argmax()]
        rest = table[some, second]
        found.append((table[chosen, first], table[chosen, second], rest.mean(), rest.max()))
    own, other, mean, most = np.mean(found, axis=0).tolist()
    return {"of": many, "said": own, "again": other, "mean_of_all": mean, "best_there": most}


def foretelling(rows: Sequence[TableRow]) -> list[dict[str, Any]]:
    """Kendall's tau of simple counts with the score, of architectures that are no neighbours."""
    alone = [row for row in rows if row.neighbour_of is None]
    scores = np.array([row.score for row in alone])
    counts: dict[str, Floats] = {
        name: np.array([row.metrics[name] for row in alone], dtype=float)
        for name in ("params", "macs")
    }
    used = [
        Counter(edge.op for cell in row.genotype.cells.values() for node in cell.nodes
                for edge in node.edges)
        for row in alone
    ]  # fmt: skip
    counts |= {op: np.array([each[op] for each in used], dtype=float) for op in OP_NAMES}
    ends = [sum(len(cell.output_states) for cell in row.genotype.cells.values()) for row in alone]
    counts["loose ends"] = np.array(ends, dtype=float)
    found = [
        {"count": name, "tau": written(mean_tau([(values, scores)]))}
        for name, values in counts.items()
        if np.ptp(values)
    ]
    return sorted(found, key=lambda each: -each["tau"][0])


def written(tau: Tau) -> list[float | None]:
    """Value and interval."""
    return [tau.value, tau.low, tau.high]


def of_the_making(studies: Path) -> dict[str, Any]:
    """What the studies say about their settings, their machine and their time."""
    folders = sorted(studies.glob("seed-*"))
    settings = json.loads((folders[0] / "study.json").read_text())
    ends = [event for folder in folders for _, event in read_events(folder / "events.jsonl")]
    return {
        "failed": sum(event["event"] == "failed" for event in ends),
        "study": settings,
    }


def card(facts: dict[str, Any]) -> str:
    """The words of the template around the figures."""
    study = facts["study"]
    words = {
        **facts,
        **study["hardware"],
        **study["versions"],
        "commit": study["commit"][:8],
        "seeds_tau": interval(facts["tau_between_seeds"]),
        "middle": facts["quantiles"]["0.5"],
        "low": facts["quantiles"]["0.05"],
        "high": facts["quantiles"]["0.95"],
        "best": "\n".join(
            f"| {each['of']} | {each['said']:.3f} | {each['again']:.3f} | "
            f"{each['mean_of_all']:.3f} | {each['best_there']:.3f} |"
            for each in facts["best_of"]
        ),
        "counts": "\n".join(
            f"| {each['count']} | {interval(each['tau'])} |" for each in facts["foretelling"]
        ),
    }
    return (HERE / "card.template.md").read_text().format_map(words)


def interval(tau: Sequence[float | None]) -> str:
    """A tau with its interval."""
    value, low, high = tau
    return f"{value:.2f}" if low is None else f"{value:.2f} ({low:.2f} to {high:.2f})"


def draw(rows: Sequence[TableRow]) -> None:
    """The cells at both ends: those with the most seeds first, for luck has less part in them."""
    most = max(map(_count, rows))
    sure = [row for row in rows if _count(row) == most]
    order = sorted(sure, key=lambda row: -row.score)
    ends = {"best": order[:SHOWN], "worst": order[: -SHOWN - 1 : -1]}
    for end, some in ends.items():
        for place, row in enumerate(some, 1):
            (HERE / f"{end}-{place}.svg").write_text(cells_svg(row.genotype))
            print(f"{end} {place}: {row.score:.3f}, {row.genotype.key}")


if __name__ == "__main__":
    main()
