"""Does the order by multiply-adds hold for milliseconds? Reads what `measure.py` printed.

`python results/published/digits-hard-front/order.py latencies.jsonl` prints Markdown: for each
size of batch Kendall's tau over all networks and within fronts, reversed neighbours, and how many
of a front are dominated once milliseconds stand for multiply-adds.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any

from scipy.stats import kendalltau

from nas.study.front import Front

CLEARLY = 9  # of ten rounds


def main(source: Path) -> None:
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    fronts: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["macs"]):
        fronts[row["arm"], row["seed"]].append(row)
    print(f"{len(rows)} networks on {len(fronts)} fronts\n")
    columns = (
        "batch|tau over all|tau within fronts|neighbours|reversed|clearly|dominated by milliseconds"
    )
    print("| " + columns.replace("|", " | ") + " |\n|" + "---:|" * 7)
    for name in (name for name in rows[0] if name.startswith("ms_")):
        taus = [_tau(front, name) for front in fronts.values() if len(front) > 2]
        pairs = [pair for front in fronts.values() for pair in pairwise(front)]
        faster = [_rounds_faster(small, large, name) for small, large in pairs]
        turned = sum(median(large[name]) < median(small[name]) for small, large in pairs)
        clearly = sum(count >= CLEARLY for count in faster)
        lost = sum(len(front) - _on_front(front, name) for front in fronts.values())
        cells = [name.removeprefix("ms_"), f"{_tau(rows, name):.2f}", f"{fmean(taus):.2f}"]
        cells += [str(len(pairs)), str(turned), str(clearly), f"{lost} of {len(rows)}"]
        print("| " + " | ".join(cells) + " |")


def _tau(rows: list[dict[str, Any]], name: str) -> float:
    found = kendalltau([row["macs"] for row in rows], [median(row[name]) for row in rows])
    return float(found.statistic)


def _rounds_faster(small: dict[str, Any], large: dict[str, Any], name: str) -> int:
    """In how many rounds the one with more multiply-adds was faster."""
    return sum(slow < quick for quick, slow in zip(small[name], large[name], strict=True))


def _on_front(rows: list[dict[str, Any]], name: str) -> int:
    front: Front[None] = Front()
    for row in rows:
        front.offer((row["val_accuracy"], -median(row[name])), None)
    return len(front.members)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
