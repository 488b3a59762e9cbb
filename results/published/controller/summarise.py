"""Tables from the CSV files beside this script: means with 95 % intervals, and differences paired
by seed."""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from nas.seeding import numpy_rng

HERE = Path(__file__).parent
OURS = "policy-gradient"


def mean_and_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval, by 10,000 bootstrap means."""
    data = np.array(values)
    picks = numpy_rng(0, "bootstrap").integers(len(data), size=(10_000, len(data)))
    low, high = np.quantile(data[picks].mean(1), [0.025, 0.975])
    return float(data.mean()), float(high - low) / 2


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def summary(path: Path) -> Iterator[dict[str, object]]:
    records = rows(path)
    column = "final" if "final" in records[0] else "best_1000"
    groups: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for record in records:
        groups[record.get("column", "landscape"), record["arm"]][record["seed"]] = float(
            record[column]
        )
    for (name, arm), values in groups.items():
        mean, half = mean_and_interval(list(values.values()))
        line: dict[str, object] = {
            "data": name,
            "arm": arm,
            "seeds": len(values),
            "mean": mean,
            "interval": half,
        }
        ours = groups.get((name, OURS), {})
        paired = [ours[seed] - value for seed, value in values.items() if seed in ours]
        if arm != OURS and paired:
            line["ours_minus_this"], line["its_interval"] = mean_and_interval(paired)
        yield line


def main() -> None:
    digits = 3
    everything = {}
    for path in [Path(word) for word in sys.argv[1:]] or sorted(HERE.glob("*.csv")):
        lines = list(summary(path))
        everything[path.stem] = lines
        print(
            f"\n{path.name}\n\n| data | arm | searches | mean | ours minus this "
            "|\n|---|---|---|---|---|"
        )
        for line in lines:
            gap = (
                f"{line['ours_minus_this']:+.{digits}f} ± {line['its_interval']:.{digits}f}"
                if "its_interval" in line
                else ""
            )
            mean = f"{line['mean']:.{digits}f} ± {line['interval']:.{digits}f}"
            print(f"| {line['data']} | {line['arm']} | {line['seeds']} | {mean} | {gap} |")
    if not sys.argv[1:]:
        (HERE / "summary.json").write_text(json.dumps(everything, indent=1) + "\n")


if __name__ == "__main__":
    main()
