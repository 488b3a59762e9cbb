"""The statistics of paired comparisons: seeds are the unit of replication, and every number says
how it was made.

`docs/comparing.md` tells which test is used when, and why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nas.reports.extras import is_there
from nas.seeding import numpy_rng

Floats = NDArray[np.float64]
Interval = tuple[float, float]
Verdict = Literal["better", "worse", "equivalent", "not enough seeds"]

LEVEL = 0.95
ALPHA = 0.05
POWER = 0.8
BOOTSTRAP_FROM = 50  # seeds from which the bootstrap's interval is the one that is printed
EXACT_UP_TO = 12  # seeds up to which all sign flips are counted: 4,096 of them
RESAMPLES = 9_999
MOST_SEEDS = 100_000


@dataclass(frozen=True, slots=True)
class Paired:
    """What is known of the paired differences of two arms, before other comparisons are
    considered."""

    seeds: int
    mean: float
    sd: float
    effect: float | None  # the mean difference in standard deviations of the differences
    t_interval: Interval | None
    bootstrap_interval: Interval | None
    interval: Interval | None
    interval_kind: str
    p_permutation: float
    p_wilcoxon: float
    p_equivalence: float
    superiority: float
    superiority_interval: Interval | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A comparison with its verdict; p-values are adjusted by Holm, and None where no p-value could
    decide."""

    paired: Paired
    verdict: Verdict
    p: float | None
    p_equivalence: float | None
    p_wilcoxon: float | None
    negligible: bool  # different, and yet surely by less than the margin
    more_seeds: int | None  # how many more would probably do, where they are not enough


def paired(differences: Sequence[float] | Floats, margin: float) -> Paired:
    """Everything about these differences that does not depend on other comparisons."""
    d = np.asarray(differences, dtype=np.float64)
    n = len(d)
    sd = float(d.std(ddof=1)) if n > 1 else math.nan
    mean = float(d.mean()) if n else math.nan
    t, bootstrap = t_interval(d), bootstrap_interval(d)
    late = n >= BOOTSTRAP_FROM
    superiority = float((d > 0).mean() + (d == 0).mean() / 2) if n else math.nan
    return Paired(
        seeds=n,
        mean=mean,
        sd=sd,
        effect=mean / sd if n > 1 and sd > 0 else None,
        t_interval=t,
        bootstrap_interval=bootstrap,
        interval=bootstrap if late else t,
        interval_kind="bootstrap (BCa)" if late else "paired t",
        p_permutation=permutation_p(d),
        p_wilcoxon=wilcoxon_p(d),
        p_equivalence=equivalence_p(d, margin),
        superiority=superiority,
        superiority_interval=wilson_interval(superiority, n) if n else None,
    )


def judged(comparisons: Sequence[Paired], margin: float, alpha: float = ALPHA) -> list[Judged]:
    """A verdict for each of several comparisons made at once."""
    differences = holm([each.p_permutation for each in comparisons])
    equivalences = holm([each.p_equivalence for each in comparisons])
    wilcoxons = holm([each.p_wilcoxon for each in comparisons])
    level = alpha / max(len(comparisons), 1)
    rows = zip(comparisons, differences, equivalences, wilcoxons, strict=True)
    return [_judged(each, p, same, rank, margin, alpha, level) for each, p, same, rank in rows]


def _judged(
    each: Paired, p: float, p_same: float, p_rank: float, margin: float, alpha: float, level: float
) -> Judged:
    if each.seeds < seeds_for_level(level):
        more = max(seeds_for_level(level), _seeds_to_settle(each, margin, level) or 0) - each.seeds
        return Judged(each, "not enough seeds", None, None, None, negligible=False, more_seeds=more)
    different, same = p <= alpha, p_same <= alpha
    if different:
        verdict: Verdict = "better" if each.mean > 0 else "worse"
    else:
        verdict = "equivalent" if same else "not enough seeds"
    more_seeds = None
    if verdict == "not enough seeds":
        wanted = _seeds_to_settle(each, margin, level)
        more_seeds = None if wanted is None else max(wanted - each.seeds, 1)
    return Judged(
        each, verdict, p, p_same, p_rank, negligible=different and same, more_seeds=more_seeds
    )


def untested(differences: Sequence[float] | Floats) -> Judged:
    """What can be said of differences without scipy: their mean and spread, and no verdict."""
    d = np.asarray(differences, dtype=np.float64)
    n, mean = len(d), float(d.mean()) if len(d) else math.nan
    sd = float(d.std(ddof=1)) if n > 1 else math.nan
    superiority = float((d > 0).mean() + (d == 0).mean() / 2) if n else math.nan
    effect = mean / sd if n > 1 and sd > 0 else None
    known = Paired(
        *(n, mean, sd, effect, None, None, None, "none"),
        *(1.0, 1.0, 1.0, superiority, None),
    )
    return Judged(known, "not enough seeds", None, None, None, negligible=False, more_seeds=None)


# ------------------------------------------------------------------ intervals


def t_quantile(share: float, freedom: int) -> float:
    """A quantile of Student's distribution; NaN where nothing can tell."""
    return float(_stats().t.ppf(share, freedom)) if is_there("scipy") else math.nan


def t_interval(d: Floats, level: float = LEVEL) -> Interval | None:
    """Student's interval for the mean of the differences; None for fewer than two."""
    if len(d) < 2 or not is_there("scipy"):
        return None
    if _are_equal(d):
        return float(d[0]), float(d[0])
    low, high = _stats().ttest_1samp(d, 0.0).confidence_interval(level)
    return float(low), float(high)


def _are_equal(d: Floats) -> bool:
    """Whether they differ by rounding alone, from which no test can estimate a spread."""
    return bool(np.ptp(d) <= 1e-12 * np.abs(d).max())


def bootstrap_interval(d: Floats, level: float = LEVEL) -> Interval | None:
    """The bias-corrected and accelerated bootstrap interval for the mean; None for fewer than
    three."""
    return bca((d,), _mean, level)


def bca(samples: tuple[Floats, ...], statistic: Any, level: float = LEVEL) -> Interval | None:
    """BCa for any statistic of paired samples that takes `axis`; the same samples give the same
    interval."""
    n = len(samples[0])
    if n < 3 or not is_there("scipy"):
        return None
    value = float(statistic(*samples, axis=-1))
    if _is_constant(samples, statistic, value):
        return value, value
    found = (
        _stats()
        .bootstrap(
            samples,
            statistic,
            paired=True,
            vectorized=True,
            confidence_level=level,
            n_resamples=RESAMPLES,
            method="BCa",
            batch=max(1, 2_000_000 // n),
            rng=numpy_rng(n, "bootstrap"),
        )
        .confidence_interval
    )
    interval = float(found.low), float(found.high)
    return interval if all(map(math.isfinite, interval)) else None


def _is_constant(samples: tuple[Floats, ...], statistic: Any, value: float) -> bool:
    """Whether leaving out any seed changes nothing, so that there is no spread to resample."""
    rows = range(len(samples[0]))
    without = [statistic(*(np.delete(sample, row) for sample in samples), axis=-1) for row in rows]
    return bool(np.ptp(without) <= 1e-12 * max(abs(value), 1e-300))


def wilson_interval(share: float, n: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval for a share; ties count half."""
    z = float(_stats().norm.ppf((1 + level) / 2))
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def mean_interval(values: Floats, level: float = LEVEL) -> Interval | None:
    """An interval for the mean of one arm, of the kind used for differences."""
    return (
        bootstrap_interval(values, level)
        if len(values) >= BOOTSTRAP_FROM
        else t_interval(values, level)
    )


def relative_improvement(values: Floats, reference: Floats) -> tuple[float, Interval | None]:
    """By how many percent of the reference's mean the mean is higher, with a paired BCa interval;
    none where seeds drawn anew have a reference of 0 too often."""
    estimate = float(_relative(values, reference, axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return estimate, bca((values, reference), _relative)


def _mean(values: Floats, axis: int) -> Any:
    return values.mean(axis=axis)


def _relative(values: Floats, reference: Floats, axis: int) -> Any:
    against = reference.mean(axis=axis)
    return 100 * (values.mean(axis=axis) - against) / np.abs(against)


# ------------------------------------------------------------------ tests


def permutation_p(d: Floats) -> float:
    """Two-sided p of the mean under random signs: of all sign flips up to 12 seeds, of 9,999 random
    ones beyond."""
    if len(d) < 2 or not d.any():
        return 1.0
    exact = len(d) <= EXACT_UP_TO
    test = _stats().permutation_test(
        (d,), _mean, permutation_type="samples", vectorized=True, alternative="two-sided",
        n_resamples=np.inf if exact else RESAMPLES, batch=max(1, 2_000_000 // len(d)),
        rng=numpy_rng(len(d), "permutation"),
    )  # fmt: skip
    return float(test.pvalue)


def wilcoxon_p(d: Floats) -> float:
    """Two-sided p of Wilcoxon's signed-rank test; differences of zero are ranked and then dropped
    (Pratt)."""
    if len(d) < 2 or not d.any():
        return 1.0
    method = "exact" if _without_ties(d) and len(d) <= 50 else "asymptotic"
    return float(_stats().wilcoxon(d, zero_method="pratt", method=method).pvalue)


def equivalence_p(d: Floats, margin: float) -> float:
    """The larger p of two one-sided t tests: that the mean is above -margin, and that it is below
    margin."""
    if len(d) < 2 or margin <= 0:
        return 1.0
    if _are_equal(d):
        return 0.0 if abs(d[0]) < margin else 1.0
    above = _stats().ttest_1samp(d, -margin, alternative="greater").pvalue
    below = _stats().ttest_1samp(d, margin, alternative="less").pvalue
    return float(max(above, below))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979): the smallest times the number of tests, the next times one
    less, and so on."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _without_ties(d: Floats) -> bool:
    sizes = np.abs(d)
    return len(np.unique(sizes)) == len(sizes) and bool(sizes.all())


# ------------------------------------------------------------------ how many seeds would do


def smallest_p(seeds: int) -> float:
    """The smallest two-sided p that sign flips of so many differences can give."""
    return min(1.0, 2.0 ** (1 - seeds))


def seeds_for_level(level: float) -> int:
    """How many seeds it takes for a p-value at this level to be possible at all."""
    return math.ceil(1 - math.log2(level))


def seeds_to_detect(effect: float, level: float, power: float = POWER) -> int | None:
    """Seeds with which a paired t test finds a difference of `effect` standard deviations; None
    beyond 100,000."""
    size = abs(effect)

    stats = _stats()

    def enough(n: int) -> bool:
        critical = stats.t.ppf(1 - level / 2, n - 1)
        return bool(stats.norm.cdf(size * math.sqrt(n) - critical) >= power)

    return _fewest(enough)


def seeds_to_equivalence(
    mean: float, sd: float, margin: float, level: float, power: float = POWER
) -> int | None:
    """Seeds with which two one-sided tests find the means within the margin, if the difference is
    as seen."""
    if abs(mean) >= margin:
        return None

    stats = _stats()

    def enough(n: int) -> bool:
        critical, scale = stats.t.ppf(1 - level, n - 1), math.sqrt(n) / sd
        above = stats.norm.cdf((margin + mean) * scale - critical)
        below = stats.norm.cdf((margin - mean) * scale - critical)
        return bool(above + below - 1 >= power)

    return _fewest(enough)


def _seeds_to_settle(each: Paired, margin: float, level: float) -> int | None:
    """Seeds that would find the difference seen so far, or that there is none to speak of:
    whichever needs fewer."""
    if each.effect is None:
        return None
    ways = (
        seeds_to_detect(each.effect, level),
        seeds_to_equivalence(each.mean, each.sd, margin, level),
    )
    return min((way for way in ways if way is not None), default=None)


def _fewest(enough: Any) -> int | None:
    """The smallest number of seeds that is enough."""
    low, high = 1, 2
    while not enough(high):
        low, high = high, high * 2
        if high > MOST_SEEDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _stats() -> Any:
    """scipy.stats, which takes a second to load, and one study alone has nothing to test."""
    from scipy import stats

    return stats
