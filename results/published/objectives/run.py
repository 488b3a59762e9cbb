"""How much of the true front of accuracy against latency each strategy finds on NAS-Bench-201.

`NAS_DATA=DIR python results/published/objectives/run.py 1001-1050 STRATEGY... >> shares.jsonl`
prints a line of JSON for each device, strategy and seed: the share of the hypervolume of the true
front that the front of a search covers, after 100 and after 200 trials. Strategies are asked and
told one trial after another, as a study with one worker does it. `table.py` beside it sums up.

With `BY=function` each function has the mean accuracy and latency of its rows, whichever is
proposed. `run.py ceiling` prints what all functions together cover where each is known by one of
its rows, drawn at random.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean

from nas.contracts import Evaluation, Strategy, Trial
from nas.evaluators.table import Table
from nas.registry import load
from nas.search.comparing.arms import seeds_of
from nas.search.objectives import Objectives, Weigher, scales_of
from nas.seeding import numpy_rng
from nas.study.front import Front, Point, Scale, hypervolume
from search_spaces.cells.genotype import Genotype

TRIALS, EARLIER = 200, 100
TUNED_ON = ("hw_c10_raspi4_latency", "help_titan_rtx_256_ms")
REPORTED = (
    "hw_c10_edgegpu_latency",
    "hw_c10_fpga_latency",
    "help_pixel2_ms",
    "help_gold_6226_ms",
)
SPACE = load("space", "nasbench201")()
DRAWS = 20


def main(seeds: list[int], strategies: list[str], devices: tuple[str, ...]) -> None:
    tasks = [_task(device) for device in devices]
    for seed in seeds:  # outermost, so that what a clock cuts off is whole for the seeds before
        for task in tasks:
            for spoken in strategies:
                early, end = task.shares(spoken, seed)
                row = {"device": task.device, "strategy": spoken, "seed": seed}
                row |= {"share_at_100": round(early, 5), "share": round(end, 5)}
                print(json.dumps(row), flush=True)


def ceilings(devices: tuple[str, ...]) -> None:
    """What is left of the true front where nobody knows which row of a function is the best."""
    for device in devices:
        task = _task(device)
        found = []
        for draw in range(DRAWS):
            rng, front = numpy_rng(0, "rows", draw), Front[None]()
            for rows in task.judge.functions().values():
                front.offer(rows[rng.integers(len(rows))], None)
            found.append(hypervolume(front.points, task.scales) / task.true)
        shares = {"mean": fmean(found), "worst": min(found), "best": max(found)}
        rounded = {name: round(share, 5) for name, share in shares.items()}
        print(json.dumps({"device": device, **rounded}), flush=True)


def _task(device: str) -> _Task:
    data = Path(os.environ["NAS_DATA"])
    files = [str(data / "nasbench201.csv.gz"), str(data / "nasbench201_hw.csv.gz")]
    table = Table(SPACE, table=files, score="c10_val_200", metrics=["c10_val_200", device])
    objectives = Objectives(("c10_val_200", f"-{device}"))
    scales = scales_of(objectives, table, SPACE)
    assert scales is not None
    judge = _Judge(table, Weigher(objectives))
    if os.environ.get("BY") == "function":
        judge.take_means()
    return _Task(device, judge, scales, hypervolume(judge.true_front(), scales))


class _Judge:
    """The objectives of genotypes, each looked up once.

    Equal functions have rows of their own, whose latencies differ by noise: a study is told that of
    the first it proposes, as its rule on duplicates has it, whatever other studies saw.
    """

    def __init__(self, table: Table, weigher: Weigher) -> None:
        self._table, self._weigher = table, weigher
        self._known: dict[tuple[int, ...], Point] = {}

    def point(self, genotype: Genotype) -> Point:
        choices = SPACE.encode(genotype)
        if choices not in self._known:
            told = self._table.evaluate(genotype, seed=0, workdir=Path(), report=lambda *_: True)
            self._known[choices] = self._weigher.point(told.metrics)
        return self._known[choices]

    def functions(self) -> dict[str, list[Point]]:
        """The rows of each function."""
        found = defaultdict(list)
        for choices in product(*map(range, SPACE.counts)):
            genotype = SPACE.decode(choices)
            found[genotype.key].append(self.point(genotype))
        return found

    def take_means(self) -> None:
        """From now on all rows of a function are their mean."""
        means = {key: _mean(rows) for key, rows in self.functions().items()}
        self._known = {choices: means[SPACE.decode(choices).key] for choices in self._known}

    def true_front(self) -> list[Point]:
        """Of all architectures; the row of each, not that of the first of equal ones."""
        front: Front[None] = Front()
        for rows in self.functions().values():
            for point in rows:
                front.offer(point, None)
        return front.points


def _mean(rows: list[Point]) -> Point:
    return tuple(fmean(values) for values in zip(*rows, strict=True))


@dataclass(frozen=True, slots=True)
class _Task:
    device: str
    judge: _Judge
    scales: tuple[Scale, ...]
    true: float

    def shares(self, spoken: str, seed: int) -> tuple[float, float]:
        """What the front of one search covers of the true one, halfway and at its end."""
        name, _, sampler = spoken.partition(":")
        options = {"sampler": sampler} if sampler else {}
        strategy: Strategy = load("strategy", name)(SPACE, seed, **options)
        front: Front[None] = Front()
        told: dict[str, Point] = {}
        earlier = 0.0
        for number in range(TRIALS):
            proposal = strategy.ask(number)
            assert proposal is not None
            point = told.setdefault(proposal.genotype.key, self.judge.point(proposal.genotype))
            trial = Trial(number, proposal.genotype, number, proposal.notes)
            strategy.tell(trial, Evaluation(point[0], {}, 0.0, point))
            front.offer(point, None)
            if number + 1 == EARLIER:
                earlier = hypervolume(front.points, self.scales) / self.true
        return earlier, hypervolume(front.points, self.scales) / self.true


if __name__ == "__main__":
    chosen = TUNED_ON if os.environ.get("TUNING") == "1" else REPORTED
    if sys.argv[1] == "ceiling":
        ceilings(chosen)
    else:
        main(seeds_of(sys.argv[1]), sys.argv[2:], chosen)
