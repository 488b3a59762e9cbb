"""The shares that `run.py` printed, as a table and a picture.

`python results/published/objectives/table.py shares.jsonl front.svg` prints Markdown: for each
strategy the mean share over devices and seeds, its standard deviation over seeds (of the mean over
devices), the worst study, and each device. Seeds that a strategy has not on every device are left
out, and how many there are is said.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import fmean, stdev

from nas.reports.inline import svg_of
from nas.reports.panels import colours, panel, style

BASELINE = "random-search"


def main(source: Path, picture: Path) -> None:
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    devices = list(dict.fromkeys(row["device"] for row in rows))
    found: dict[str, dict[int, dict[str, tuple[float, float]]]] = defaultdict(dict)
    for row in rows:
        by_device = found[row["strategy"]].setdefault(row["seed"], {})
        by_device[row["device"]] = row["share"], row["share_at_100"]
    whole = {
        strategy: [by for by in seeds.values() if len(by) == len(devices)]
        for strategy, seeds in found.items()
    }
    order = sorted(whole, key=lambda strategy: -_mean(whole[strategy], 0))

    columns = ["strategy", "seeds", "after 200", "± sd", "worst", "after 100", *devices]
    print("| " + " | ".join(columns) + " |\n|---" + "|---:" * (len(columns) - 1) + "|")
    for strategy in order:
        seeds = whole[strategy]
        means = [fmean(pair[0] for pair in by.values()) for by in seeds]
        worst = min(pair[0] for by in seeds for pair in by.values())
        each = [fmean(by[device][0] for by in seeds) for device in devices]
        numbers = [fmean(means), stdev(means), worst, _mean(seeds, 1), *each]
        cells = [strategy, str(len(seeds)), *(f"{number:.4f}" for number in numbers)]
        print("| " + " | ".join(cells) + " |")
    _draw(picture, {strategy: whole[strategy] for strategy in reversed(order)})


def _mean(seeds: list[dict[str, tuple[float, float]]], place: int) -> float:
    return fmean(pair[place] for by in seeds for pair in by.values())


def _draw(picture: Path, whole: dict[str, list[dict[str, tuple[float, float]]]]) -> None:
    """A row a strategy: a dot a seed, and a bar at the mean."""
    colour = colours(list(whole), BASELINE)
    with style():
        figure, axes = panel(
            "Share of the true front", "hypervolume after 200 trials, mean of four devices", "",
            room=0.04, left=0.24,
        )  # fmt: skip
        for place, (strategy, seeds) in enumerate(whole.items()):
            means = sorted(fmean(pair[0] for pair in by.values()) for by in seeds)
            spread = [place + 0.5 * ((index * 0.618) % 1 - 0.5) for index in range(len(means))]
            axes.plot(means, spread, "o", ms=3, color=colour[strategy], alpha=0.5)
            axes.plot([fmean(means)] * 2, [place - 0.35, place + 0.35], lw=2.5, color="black")
        axes.set_yticks(range(len(whole)), list(whole))
        axes.grid(axis="y", visible=False)
        picture.write_text(svg_of(figure))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
