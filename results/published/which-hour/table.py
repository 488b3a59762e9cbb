"""Three ways to spend the same seconds: what each spent, found, and is worth when trained anew.

python results/published/which-hour/table.py STUDIES FOLDER   (writes table.md and winners.json)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from nas.search.trials import trials_frame

WAYS = ("shared", "trained", "random")


def main() -> None:
    """Read, write."""
    studies, out = map(Path, sys.argv[1:])
    found = {way: facts(studies, way) for way in WAYS}
    (out / "winners.json").write_text(json.dumps(found, indent=2) + "\n")
    lines = [
        "| way | trials | seconds | best | its best five, trained | trained anew, test |",
        "|---|---:|---:|---:|---|---|",
    ]
    for way, one in found.items():
        five = ", ".join(f"{score:.3f}" for score in one["confirmed"])
        again = " ".join(f"{score:.3f}" for score in one["anew"])
        lines.append(
            f"| {way} | {one['trials']:,} | {one['seconds']:,.0f} | {one['best']:.3f} | {five} | "
            f"{mean(one['anew']):.3f} ± {stdev(one['anew']):.3f} ({again}) |"
        )
    (out / "table.md").write_text("\n".join(lines) + "\n")


def facts(studies: Path, way: str) -> dict[str, Any]:
    """What one way came to."""
    search = told(studies / way)
    (confirm,) = (studies / way).glob("confirm-*")
    confirmed = told(confirm)
    seconds = float(search["seconds"].sum() + confirmed["seconds"].sum())
    if way == "shared":
        seconds += json.loads((studies / "supernet" / "supernet.json").read_text())["seconds"]
    result = json.loads((studies / f"retrained-{way}" / "result.json").read_text())
    return {
        "trials": len(search),
        "seconds": round(seconds, 1),
        "best": float(search["score"].max()),
        "confirmed": confirmed["score"].tolist(),
        "key": confirmed.loc[confirmed["score"].idxmax(), "key"],
        "anew": [test["top_1"] for test in result["test"]],
    }


def told(study: Path) -> Any:
    """The trials of a study that were told a score."""
    return trials_frame(study).query("state == 'told'")


if __name__ == "__main__":
    main()
