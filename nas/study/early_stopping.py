"""When a trial is not worth going on with: one pure rule, folded over the log, the same for every
runner and strategy.

The state is what the lines of the log amount to, so a study that is resumed decides as if it had
never been away. The lines of an attempt that came to nothing are taken back when the next attempt
of the same trial begins.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from statistics import median
from typing import Any, final

from nas.study import Rules


class Rule(ABC):
    """Judges learning curves; a trial it speaks of may be tried again, from the beginning."""

    @abstractmethod
    def worth_it(self, number: int, step: int, score: float) -> bool:
        """Remember the score and say whether the trial may go on."""

    @abstractmethod
    def forget(self, number: int) -> None:
        """Take back what the last attempt at this trial said."""

    @abstractmethod
    def ended(self, number: int, *, in_full: bool) -> None:
        """Take note of the end of a trial."""


@final
class EarlyStopping:
    """Hears every event of a study; after a `progressed` line it says whether that trial may go on.

    Args:
        last_step: the step at which an evaluation is complete (a trial is never stopped there);
            None: not known.
    """

    def __init__(self, rule: Rule, last_step: int | None = None) -> None:
        self._rule = rule
        self._last_step = last_step

    def hear(self, event: Mapping[str, Any]) -> bool:
        """Take in one event; False asks the trial it speaks of to stop."""
        if "reused" in event:
            return True
        match event["event"]:
            case "progressed":
                return self._progressed(event["number"], event["step"], event["metrics"])
            case "attempted":
                self._rule.forget(event["number"])
            case "told":
                self._rule.ended(event["number"], in_full=True)
            case "stopped" | "failed":
                self._rule.ended(event["number"], in_full=False)
        return True

    def _progressed(self, number: int, step: int, metrics: Mapping[str, Any]) -> bool:
        if "score" not in metrics:
            return True  # nothing to judge by
        score = metrics["score"]
        if score is None or not math.isfinite(score):
            return False  # it will not recover
        worth_it = self._rule.worth_it(number, step, score)
        return worth_it or (self._last_step is not None and step >= self._last_step)


@final
class Asha(Rule):
    """Asynchronous successive halving (Li et al. 2020, arXiv 1810.05934), in the form that stops
    and never waits.

    Rungs lie at grace, grace x reduction, grace x reduction^2, ... steps. At a rung a trial goes on
    if it is among the best 1/reduction of those that have come to that rung so far (the first
    always is; equals go on together). Unlike the paper's a stopped trial is never promoted later,
    which costs some good trials early in a search and saves keeping their weights. A trial that
    skips a rung's step is judged at its first report behind it.
    """

    def __init__(self, grace: int, reduction: float) -> None:
        self._grace, self._reduction = grace, reduction
        self._rungs: dict[int, list[float]] = {}  # by rung, the scores that came to it, in order
        self._reached: dict[int, dict[int, float]] = {}  # by open trial, its score at each rung

    def worth_it(self, number: int, step: int, score: float) -> bool:
        """Judge at rungs only."""
        rung = self._rung_at(step)
        reached = self._reached.setdefault(number, {})
        if rung is None or (reached and rung <= max(reached)):
            return True
        reached[rung] = score
        scores = self._rungs.setdefault(rung, [])
        insort(scores, score)
        better = len(scores) - bisect_right(scores, score)
        return better < max(1.0, len(scores) / self._reduction)

    def _rung_at(self, step: int) -> int | None:
        """Which rung (0, 1, 2, ...) lies at or last before this step."""
        if step < self._grace:
            return None
        rung, at = 0, float(self._grace)
        while (at := at * self._reduction) <= step:
            rung += 1
        return rung

    def forget(self, number: int) -> None:
        """Take its scores off the rungs."""
        for rung, score in self._reached.pop(number, {}).items():
            scores = self._rungs[rung]
            del scores[bisect_left(scores, score)]

    def ended(self, number: int, *, in_full: bool) -> None:
        """Its scores stay."""
        del in_full
        self._reached.pop(number, None)


@final
class Median(Rule):
    """The median rule (Golovin et al. 2017, Vizier, section 3.2.1).

    A trial stops if its best score so far lies below the median of what the trials that ended in
    full had reached, on average, up to the same step. Before `grace` steps, or while fewer than
    `grace_trials` ended in full, none stops.
    """

    def __init__(self, grace: int, grace_trials: int) -> None:
        self._grace, self._grace_trials = grace, grace_trials
        self._best: dict[int, float] = {}
        self._means: dict[
            int, list[tuple[int, float]]
        ] = {}  # by open trial: its average score up to each step
        self._full: list[list[tuple[int, float]]] = []  # the same of those that ended in full

    def worth_it(self, number: int, step: int, score: float) -> bool:
        """Compare the best so far with the median."""
        means = self._means.setdefault(number, [])
        before = means[-1][1] if means else 0.0
        means.append((step, before + (score - before) / (len(means) + 1)))
        best = self._best[number] = max(score, self._best.get(number, score))
        if step < self._grace or len(self._full) < self._grace_trials:
            return True
        others = [mean for curve in self._full if (mean := _at(curve, step)) is not None]
        return not others or best >= median(others)

    def forget(self, number: int) -> None:
        """Drop its curve."""
        self._best.pop(number, None)
        self._means.pop(number, None)

    def ended(self, number: int, *, in_full: bool) -> None:
        """Only what ended in full is a measure for others."""
        curve = self._means.get(number)
        if in_full and curve:
            self._full.append(curve)
        self.forget(number)


def _at(curve: list[tuple[int, float]], step: int) -> float | None:
    """What a curve had come to at this step."""
    index = bisect_left(curve, (step + 1, -math.inf))
    return curve[index - 1][1] if index else None


def early_stopping(rules: Rules, last_step: int | None = None) -> EarlyStopping:
    """The rule that these settings name; of a study without one there is nothing to make."""
    if rules.early_stop == "asha":
        return EarlyStopping(Asha(rules.grace_steps, rules.reduction), last_step)
    assert rules.early_stop == "median"
    return EarlyStopping(Median(rules.grace_steps, rules.grace_trials), last_step)
