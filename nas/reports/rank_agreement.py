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

FEWEST: Final = 10  # genotypes below which no interval means anything
SCREENS_FROM: Final = 0.1
SEARCHES_FROM: Final = 0.3
_QUANTILE: Final = 1.96
_RESAMPLES: Final = 2_000

Worth = Literal["search", "screen", "not", "not shown"]


@dataclass(frozen=True, slots=True)
class Tau:
    """Kendall's tau-b with its 95 % interval; None where too few or equal scores allow none."""

    value: float
    low: float | None
    high: float | None


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


def mean_tau(pairs: Sequence[tuple[Floats, Floats]]) -> Tau:
    """The mean of tau-b over pairs of judges of the same genotypes.

    The interval is the jackknife's over genotypes, on Fisher's scale: it holds ties, the dependence
    of pairs on each other, and that all pairs share the genotypes. (benchmarks/audit_coverage.py)
    """
    found = [_leaving_one_out(_signs(a), _signs(b)) for a, b in pairs]
    value = float(np.mean([whole for whole, _ in found]))
    parts = np.mean([each for _, each in found], axis=0)
    count = len(parts)
    if count < FEWEST or not math.isfinite(value):
        return Tau(value if math.isfinite(value) else 0.0, None, None)
    if abs(value) > 1 - 1e-12:
        return Tau(value, value, value)

    error = math.sqrt((count - 1) / count * float(((parts - parts.mean()) ** 2).sum()))
    middle, half = math.atanh(value), _QUANTILE * error / (1 - value**2)
    return Tau(value, math.tanh(middle - half), math.tanh(middle + half))


def _signs(scores: Floats) -> Floats:
    return np.sign(scores[:, None] - scores[None, :])


def _leaving_one_out(a: Floats, b: Floats) -> tuple[float, Floats]:
    """Tau-b of all, and without each."""
    agree, of_a, of_b = (a * b).sum(1), (a * a).sum(1), (b * b).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        whole = agree.sum() / np.sqrt(of_a.sum() * of_b.sum())
        parts = (agree.sum() - 2 * agree) / np.sqrt(
            (of_a.sum() - 2 * of_a) * (of_b.sum() - 2 * of_b)
        )
    return float(whole), np.nan_to_num(parts)


def ceiling(again: float) -> float:
    """The tau with one noisy judgement that a judge without noise would have, where two noisy ones
    have `again`: normal scores have tau = 2/pi asin(rho), and rho of the noiseless one is its
    square root."""
    rho = math.sin(math.pi / 2 * max(again, 0.0))
    return 2 / math.pi * math.asin(math.sqrt(rho))


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
