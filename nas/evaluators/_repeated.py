"""Judging each genotype with several seeds: the mean is the score, and the spread comes along."""

from __future__ import annotations

import math
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from nas.contracts import Evaluation, Evaluator, Json, Outlook, Report
from nas.errors import counted
from nas.evaluators._around import Around
from nas.seeding import derive
from nas.study.attempt import plain
from nas.study.seed_spread import FIRST_SEED, mean_of, spread_metrics

if TYPE_CHECKING:
    from search_spaces.cells.genotype import Genotype

_KEEP: Final = "keep"


@final
class Repeated(Around):
    """Another evaluator, asked so many times for each trial.

    The first evaluation has the seed of the trial, the others seeds that follow from it. Seconds
    add up. Steps are counted on from one evaluation to the next; only the first may be stopped
    early, for a rule that compares steps would compare beginnings with ends. What the first
    leaves in `keep/` stays, so what a winner is judged by and exported as is one network, chosen
    by no score of its own.
    """

    def __init__(self, judge: Evaluator, times: int) -> None:
        super().__init__(judge)
        self.times = times

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """Judge with each seed; a failure of one is a failure of the trial."""
        curve = _Curve(report)
        found: list[Evaluation] = []
        for place in range(self.times):
            within = workdir if self.cheap else workdir / f"evaluation-{place}"
            if not self.cheap:
                within.mkdir(parents=True, exist_ok=True)
            one = self.judge.evaluate(
                genotype, seed=_seed(seed, place), workdir=within, report=curve.part(place)
            )
            if not place:
                _take_up(within / _KEEP, workdir / _KEEP)
            if curve.stopped:
                return one
            found.append(one)
        return _joined(found)

    def outlook(self) -> Outlook | None:
        """A trial takes so many times as long."""
        outlook = self.judge.outlook()
        if outlook is None:
            return None
        seconds = outlook.seconds
        times = None if seconds is None else (seconds[0] * self.times, seconds[1] * self.times)
        told = f"{outlook.network}, {counted(self.times, 'evaluation')} a trial"
        return replace(outlook, network=told, seconds=times)

    @property
    def measures(self) -> Collection[str] | None:
        """What the evaluator measures, and the spread."""
        known = self.judge.measures
        return None if known is None else (*known, *spread_metrics((0.0, 0.0)))


def _seed(seed: int, place: int) -> int:
    return derive(seed, "evaluation", place) if place else seed


class _Curve:
    """The learning curves of several evaluations, one behind the other."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._last = 0
        self.stopped = False

    def part(self, place: int) -> Report:
        """How the evaluation at this place reports."""
        before = self._last

        def told(step: int, metrics: Mapping[str, Json]) -> bool:
            self._last = before + step
            if not place:
                self.stopped |= not self._report(step, metrics)
                return not self.stopped
            # Without a score nothing is compared: this seed goes on to its end.
            rest = {name: value for name, value in metrics.items() if name != "score"}
            self._report(self._last, {**rest, "evaluation": place})
            return True

        return told


def _take_up(found: Path, wanted: Path) -> None:
    """Move what an evaluation kept to where the study looks for it."""
    if found != wanted and found.is_dir():
        shutil.rmtree(wanted, ignore_errors=True)
        found.rename(wanted)


def _joined(found: Sequence[Evaluation]) -> Evaluation:
    """The mean of the scores and of every metric that is a number; of others what all say alike."""
    scores = [float(one.score) for one in found]
    seconds = sum(one.seconds for one in found)
    if not all(map(math.isfinite, scores)):
        return Evaluation(math.nan, {}, seconds)  # told as a training that diverged

    metrics: dict[str, Json] = {}
    measured = [plain(one.metrics) for one in found]
    own = {name: value for name, value in measured[0].items() if type(value) in (int, float)}
    for name, first in measured[0].items():
        values = [metrics_of_one.get(name) for metrics_of_one in measured]
        if all(type(value) in (int, float) for value in values):
            metrics[name] = mean_of(values)
        elif all(value == first for value in values):
            metrics[name] = first
    metrics |= {**spread_metrics(scores), FIRST_SEED: own}  # what the kept weights came to
    return Evaluation(mean_of(scores), metrics, seconds)
