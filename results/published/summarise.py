"""Keep of a comparison what is worth a place in the repository: the report, its figures, and a row
for every study.

python results/published/summarise.py results/nasbench201/cifar10
results/published/nasbench201/cifar10
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import sys
from pathlib import Path

from nas.reports.as_json import tree
from nas.reports.write import write_report

COLUMNS = (
    "seed",
    "outcome",
    "score",
    "confirmed_score",
    "key",
    "trials",
    "seconds",
    "duplicates",
    "failed",
    "strategy_seconds",
)


def main() -> None:
    """Write the report again, where it is to be read, and leave out what only the studies are
    needed for."""
    studies, kept = Path(sys.argv[1]), Path(sys.argv[2])
    _, found = write_report([studies], kept)
    result = tree(found)
    (kept / "trials.csv").unlink()
    for picture in [*(kept / "figures").glob("*.pdf"), *(kept / "figures").glob("*.png")]:
        picture.unlink()
    rows = [{"arm": arm["label"], **row} for arm in result["arms"] for row in arm["per_seed"]]
    _write_rows(kept / "studies.csv.gz", rows)
    for arm in result["arms"]:
        del arm["per_seed"]
    for row in result["comparisons"]:
        del row["paired_seeds"]
    if result["sampling"]:
        del result["sampling"]["outcomes"], result["sampling"]["scores"]
    (kept / "report.json").write_text(
        json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    shutil.copy(studies / "compare.json", kept / "compare.json")


def _write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["arm", *COLUMNS], extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with (
        path.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as file,
    ):
        file.write(text.getvalue().encode())


if __name__ == "__main__":
    main()
