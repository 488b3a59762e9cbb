"""How well one judge ranks what another does: Kendall's tau with its interval, what the noise of
the other allows, and what choosing by the first would have cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from nas.reports.statistics import Floats
from nas.seeding import numpy_rng
from nas.study.kendall import FEWEST, Tau, ceiling, mean_tau

SCREENS_FROM: Final = 0.1
SEARCHES_FROM: Final = 0.3
_RESAMPLES: Final = 2_000

__all__ = ["FEWEST", "Agreement", "Tau", "agreement", "ceiling", "judged_worth", "mean_tau"]

Worth = Literal["search", "screen", "not", "not shown"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a cheap judge is worth.

    Args:
        tau: with one judgement of the true judge, the mean over its seeds.
        upper: the same among those that the true judge puts into the better half.
        again: of the true judge with itself under another seed.
        perfect: the tau with one judgement that a judge without any noise would have.
        rank: of the cheap judge's winner, 1 for the best.
        regret: what its winner lacks to the best, in true scores.
        random_regret: what a random pick lacks.
        top_tenth: the chance that its winner is in the true top tenth.
    """

    genotypes: int
    tau: Tau
    upper: Tau
    again: Tau
    perfect: float
    rank: int
    winner_score: float
    best_score: float
    regret: float
    random_regret: float
    top_tenth: float
    worth: Worth
    more: int | None  # genotypes that would probably settle what is not shown


def agreement(cheap: Sequence[float], true: Sequence[Sequence[float]]) -> Agreement:
    """Compare a judge with the true one, which judged each genotype under several seeds."""
    c, seeds = np.asarray(cheap, dtype=float), [np.asarray(t, dtype=float) for t in true]
    mean = np.mean(seeds, axis=0)
    upper = mean >= np.median(mean)
    tau = mean_tau([(c, seed) for seed in seeds])
    again = mean_tau([(seeds[0], seed) for seed in seeds[1:]])
    perfect = ceiling(again.value)
    winner = int(c.argmax())
    worth = judged_worth(tau, perfect)
    return Agreement(
        genotypes=len(c),
        tau=tau,
        upper=mean_tau([(c[upper], seed[upper]) for seed in seeds]),
        again=again,
        perfect=perfect,
        rank=1 + int((mean > mean[winner]).sum()),
        winner_score=float(mean[winner]),
        best_score=float(mean.max()),
        regret=float(mean.max() - mean[winner]),
        random_regret=float(mean.max() - mean.mean()),
        top_tenth=_top_tenth(c, mean),
        worth=worth,
        more=_more(tau, len(c)) if worth == "not shown" else None,
    )


def search_from(perfect: float) -> float:
    """The tau from which a judge is good enough to search with: half of what could be had, and at
    least 0.3."""
    return max(SEARCHES_FROM, perfect / 2)


def judged_worth(tau: Tau, perfect: float) -> Worth:
    """What is said only where the whole interval says it."""
    if tau.low is None or tau.high is None:
        return "not shown"
    if tau.low >= search_from(perfect):
        return "search"
    if tau.low >= SCREENS_FROM:
        return "screen"
    return "not" if tau.high < SCREENS_FROM else "not shown"


def _more(tau: Tau, count: int) -> int | None:
    """How many genotypes would probably bring the interval to one side of what is needed to
    screen."""
    distance = abs(tau.value - SCREENS_FROM)
    if tau.low is None or tau.high is None:
        return FEWEST - count if count < FEWEST else None
    if distance < 0.02:
        return None
    return max(1, math.ceil(count * ((tau.high - tau.low) / 2 / distance) ** 2) - count)


def _top_tenth(cheap: Floats, mean: Floats) -> float:
    """Over samples drawn anew from these genotypes: how often the cheap winner is in the top
    tenth."""
    count = len(cheap)
    best = np.zeros(count, dtype=bool)
    best[np.argsort(-mean, kind="stable")[: math.ceil(count / 10)]] = True
    drawn = numpy_rng(0, "top tenth").integers(0, count, (_RESAMPLES, count))
    winners = np.take_along_axis(drawn, cheap[drawn].argmax(axis=1)[:, None], axis=1)
    return float(best[winners].mean())
