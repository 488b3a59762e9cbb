"""How much of the true front of accuracy against latency each strategy finds on NAS-Bench-201.

`NAS_DATA=DIR python results/published/objectives/run.py 1001-1050 STRATEGY... >> shares.jsonl`
prints a line of JSON for each device, strategy and seed: the share of the hypervolume of the true
front that the front of a search covers, after 100 and after 200 trials. Strategies are asked and
told one
trial after another, as a study with one worker does it. `table.py` beside it sums up.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from nas.contracts import Evaluation, Strategy, Trial
from nas.evaluators.table import Table
from nas.registry import load
from nas.search.comparing.arms import seeds_of
from nas.search.objectives import Objectives, Weigher, scales_of
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


def main(seeds: list[int], strategies: list[str], devices: tuple[str, ...]) -> None:
    tasks = [_task(device) for device in devices]
    for seed in seeds:  # outermost, so that what a clock cuts off is whole for the seeds before
        for task in tasks:
            for spoken in strategies:
                early, end = task.shares(spoken, seed)
                row = {"device": task.device, "strategy": spoken, "seed": seed}
                row |= {"share_at_100": round(early, 5), "share": round(end, 5)}
                print(json.dumps(row), flush=True)


def _task(device: str) -> _Task:
    data = Path(os.environ["NAS_DATA"])
    files = [str(data / "nasbench201.csv.gz"), str(data / "nasbench201_hw.csv.gz")]
    table = Table(SPACE, table=files, score="c10_val_200", metrics=["c10_val_200", device])
    objectives = Objectives(("c10_val_200", f"-{device}"))
    scales = scales_of(objectives, table, SPACE)
    assert scales is not None
    judge = _Judge(table, Weigher(objectives))
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

    def true_front(self) -> list[Point]:
        """Of all architectures; the row of each, not that of the first of equal ones."""
        front: Front[None] = Front()
        for choices in product(*map(range, SPACE.counts)):
            front.offer(self.point(SPACE.decode(choices)), None)
        return front.points


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
    tuning = os.environ.get("TUNING") == "1"
    main(seeds_of(sys.argv[1]), sys.argv[2:], TUNED_ON if tuning else REPORTED)
