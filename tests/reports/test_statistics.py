"""Every number of a comparison against an independent computation: by hand, by brute force, or by
another formula."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from nas.reports.statistics import (
    bca,
    bootstrap_interval,
    equivalence_p,
    holm,
    judged,
    mean_interval,
    paired,
    permutation_p,
    relative_improvement,
    seeds_for_level,
    seeds_to_detect,
    seeds_to_equivalence,
    smallest_p,
    t_interval,
    wilcoxon_p,
    wilson_interval,
)

# Student's own data (1908): additional hours of sleep, the second drug minus the first.
SLEEP = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])


def normal(seed: int, n: int, mean: float = 0.0, sd: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, sd, n)


def by_all_signs(d: np.ndarray) -> float:
    """The two-sided permutation p, counted."""
    means = np.array([np.mean(d * signs) for signs in product((-1, 1), repeat=len(d))])
    return float(np.mean(np.abs(means) >= abs(d.mean()) - 1e-12))


# ------------------------------------------------------------------ intervals


def test_the_t_interval_of_students_data_is_the_published_one() -> None:
    low, high = t_interval(SLEEP)
    assert (round(low, 4), round(high, 4)) == (0.7001, 2.4599)


@pytest.mark.parametrize(("n", "quantile"), [(2, 12.7062), (5, 2.7764), (10, 2.2622), (30, 2.0452)])
def test_the_t_interval_follows_its_formula(n: int, quantile: float) -> None:
    d = normal(n, n, 0.3)
    half = quantile * math.sqrt(sum((x - sum(d) / n) ** 2 for x in d) / (n - 1)) / math.sqrt(n)
    assert t_interval(d) == pytest.approx((d.mean() - half, d.mean() + half), rel=1e-4)


def test_the_bootstrap_interval_agrees_with_bca_written_out() -> None:
    d = np.random.default_rng(5).exponential(1.0, 60)
    n, rng = len(d), np.random.default_rng(99)
    means = d[rng.integers(n, size=(40_000, n))].mean(1)
    normal_ = stats.norm
    bias = normal_.ppf(np.mean(means < d.mean()))
    without = np.array([np.delete(d, i).mean() for i in range(n)])
    spread = without.mean() - without
    acceleration = (spread**3).sum() / (6 * (spread**2).sum() ** 1.5)
    ends = [bias + z for z in normal_.ppf([0.025, 0.975])]
    levels = [normal_.cdf(bias + end / (1 - acceleration * end)) for end in ends]
    assert bootstrap_interval(d) == pytest.approx(tuple(np.quantile(means, levels)), abs=0.012)


def test_differences_equal_but_for_rounding_are_a_point_without_a_warning() -> None:
    d = np.array([0.1 + 0.2, 0.3, 0.3])  # warnings are errors here
    assert np.ptp(d) > 0
    low, high = t_interval(d)
    assert low == high == pytest.approx(0.3)
    assert equivalence_p(d, 0.2) == 1.0
    assert equivalence_p(d, 0.4) == 0.0


def test_intervals_of_equal_differences_are_points_and_need_seeds() -> None:
    same = np.full(4, 0.25)
    assert t_interval(same) == bootstrap_interval(same) == (0.25, 0.25)
    assert t_interval(np.array([1.0])) is None
    assert bootstrap_interval(np.array([1.0, 2.0])) is None


def test_the_bootstrap_repeats_itself() -> None:
    d = normal(3, 70)
    assert bootstrap_interval(d) == bootstrap_interval(d.copy())


@pytest.mark.parametrize(("wins", "n"), [(0, 10), (7, 10), (10, 10), (250, 500)])
def test_the_interval_of_a_share_is_wilsons(wins: int, n: int) -> None:
    other = stats.binomtest(wins, n).proportion_ci(method="wilson")
    assert wilson_interval(wins / n, n) == pytest.approx((other.low, other.high), abs=1e-12)


def test_one_arm_gets_the_interval_its_seeds_allow() -> None:
    few, many = normal(1, 20), normal(1, 80)
    assert mean_interval(few) == t_interval(few)
    assert mean_interval(many) == bootstrap_interval(many)


def test_relative_improvement_is_a_share_of_the_reference() -> None:
    percent, interval = relative_improvement(
        np.array([11.0, 12.0, 13.0]), np.array([9.0, 10.0, 11.0])
    )
    assert percent == pytest.approx(20.0)
    assert interval is not None
    assert interval[0] <= 20.0 <= interval[1]
    below, _ = relative_improvement(np.array([-1.0, -1.0]), np.array([-2.0, -2.0]))
    assert below == pytest.approx(50.0)  # a higher score is better also where all are negative


def test_a_share_of_what_may_be_nothing_has_no_interval() -> None:
    """Too many draws of these seeds anew have nothing but the seeds whose reference is 0; of many
    seeds hardly any has."""
    values, reference = np.array([0.3, 0.4, 0.5, 0.4]), np.array([0.0, 0.0, 0.2, 0.2])
    percent, interval = relative_improvement(values, reference)
    assert percent == pytest.approx(300.0)
    assert interval is None
    _, interval = relative_improvement(np.tile(values, 10), np.tile(reference, 10))
    assert interval is not None
    assert interval[0] < 300 < interval[1]


def test_the_paired_interval_of_a_ratio_moves_both_together() -> None:
    reference = np.array([10.0, 20.0, 30.0, 40.0, 50.0])
    low, high = bca((reference * 1.1, reference), lambda a, b, axis: a.mean(axis) / b.mean(axis))
    assert (low, high) == pytest.approx((1.1, 1.1))


# ------------------------------------------------------------------ tests


@pytest.mark.parametrize("n", [2, 3, 6, 9, 12])
def test_the_permutation_test_counts_all_signs(n: int) -> None:
    for seed in range(3):
        d = normal(100 * n + seed, n, 0.4)
        assert permutation_p(d) == pytest.approx(by_all_signs(d))


def test_random_signs_come_close_to_all_signs() -> None:
    for seed in range(4):
        d = normal(seed, 14, 0.35)
        exact = by_all_signs(d)
        error = math.sqrt(exact * (1 - exact) / 9_999)
        assert abs(permutation_p(d) - exact) <= 5 * error + 2e-4


def test_the_smallest_p_is_that_of_all_seeds_agreeing() -> None:
    for n in range(2, 11):
        assert permutation_p(np.arange(1.0, n + 1)) == pytest.approx(smallest_p(n))


def test_differences_of_zero_say_nothing() -> None:
    zeros = np.zeros(10)
    assert permutation_p(zeros) == wilcoxon_p(zeros) == 1.0
    assert permutation_p(np.array([0.0] * 4 + [1.0] * 6)) == pytest.approx(2 * 2**4 / 2**10)


def test_wilcoxon_counts_all_signs_of_ranks() -> None:
    for seed in range(3):
        d = normal(seed, 9, 0.5)
        ranks = stats.rankdata(np.abs(d))
        sums = np.array(
            [ranks[np.array(signs) > 0].sum() for signs in product((-1, 1), repeat=len(d))]
        )
        here = ranks[d > 0].sum()
        by_hand = 2 * min(np.mean(sums >= here), np.mean(sums <= here))
        assert wilcoxon_p(d) == pytest.approx(min(1.0, by_hand))


def test_wilcoxon_with_ties_follows_the_normal_formula_of_pratt() -> None:
    d = np.array([0.0, 0.0, 1.0, 1.0, -1.0, 2.0, 3.0, 3.0, -2.0, 4.0, 5.0, 5.0])
    ranks = stats.rankdata(np.abs(d))
    used = ranks[d != 0]
    n, zeros = len(d), 2
    mean = n * (n + 1) / 4 - zeros * (zeros + 1) / 4
    variance = n * (n + 1) * (2 * n + 1) / 24 - zeros * (zeros + 1) * (2 * zeros + 1) / 24
    _, repeats = np.unique(used, return_counts=True)
    variance -= (repeats**3 - repeats).sum() / 48
    positive = ranks[d > 0].sum()
    by_hand = 2 * stats.norm.sf(abs(positive - mean) / math.sqrt(variance))
    assert wilcoxon_p(d) == pytest.approx(by_hand, rel=1e-6)


def test_equivalence_is_two_one_sided_tests() -> None:
    d, margin = normal(4, 25, 0.05, 0.2), 0.15
    error = d.std(ddof=1) / math.sqrt(len(d))
    above = stats.t.sf((d.mean() + margin) / error, len(d) - 1)
    below = stats.t.sf((margin - d.mean()) / error, len(d) - 1)
    assert equivalence_p(d, margin) == pytest.approx(max(above, below))
    low, high = t_interval(d, 0.9)  # the same decision as with a 90 % interval
    assert (equivalence_p(d, margin) <= 0.05) == (-margin < low and high < margin)


def test_equivalence_without_spread_or_margin() -> None:
    assert equivalence_p(np.full(8, 0.05), 0.1) == 0.0
    assert equivalence_p(np.full(8, 0.2), 0.1) == 1.0
    assert equivalence_p(normal(0, 8), 0.0) == 1.0


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


# ------------------------------------------------------------------ how many seeds


def test_how_many_seeds_a_p_value_needs() -> None:
    assert [seeds_for_level(0.05 / comparisons) for comparisons in (1, 2, 3, 4)] == [6, 7, 7, 8]
    for level in (0.05, 0.025, 0.01):
        n = seeds_for_level(level)
        assert smallest_p(n) <= level < smallest_p(n - 1)


@pytest.mark.parametrize("effect", [0.2, 0.5, 1.0, 1.5])
def test_seeds_to_detect_have_the_power_of_the_noncentral_t(effect: float) -> None:
    n = seeds_to_detect(effect, 0.05)

    def power(seeds: int) -> float:
        critical = stats.t.ppf(0.975, seeds - 1)
        return float(stats.nct.sf(critical, seeds - 1, effect * math.sqrt(seeds)))

    assert n is not None
    assert power(n + 1) >= 0.8
    assert power(max(n - 2, 2)) < 0.8


def test_seeds_to_equivalence_have_power_by_simulation() -> None:
    n = seeds_to_equivalence(0.02, 0.3, 0.15, 0.05)
    assert n is not None
    rng = np.random.default_rng(8)
    found = np.mean([equivalence_p(rng.normal(0.02, 0.3, n), 0.15) <= 0.05 for _ in range(600)])
    assert 0.72 < found < 0.88
    assert seeds_to_equivalence(0.2, 0.3, 0.15, 0.05) is None


def test_no_number_of_seeds_finds_what_is_not_there() -> None:
    assert seeds_to_detect(1e-6, 0.05) is None


# ------------------------------------------------------------------ verdicts


def verdicts(*differences: np.ndarray, margin: float = 0.1) -> list[str]:
    return [each.verdict for each in judged([paired(d, margin) for d in differences], margin)]


def test_a_clear_difference_is_better_or_worse() -> None:
    assert verdicts(normal(0, 20, 2.0)) == ["better"]
    assert verdicts(normal(0, 20, -2.0)) == ["worse"]


def test_a_small_sure_difference_is_equivalent_and_nothing_sure_is_not_enough() -> None:
    assert verdicts(normal(11, 40, 0.0, 0.1), margin=0.5) == ["equivalent"]
    assert verdicts(np.array([-1.0, 1.2] * 6), margin=0.1) == ["not enough seeds"]


def test_a_difference_below_the_margin_says_so() -> None:
    (each,) = judged([paired(normal(0, 40, 0.05, 0.02), 0.1)], 0.1)
    assert (each.verdict, each.negligible) == ("better", True)


@pytest.mark.parametrize(("comparisons", "seeds"), [(1, 5), (2, 6), (3, 6)])
def test_too_few_seeds_print_no_p_value(comparisons: int, seeds: int) -> None:
    clear = [np.linspace(1.0, 1.1, seeds)] * comparisons
    for each in judged([paired(d, 0.01) for d in clear], 0.01):
        assert (each.verdict, each.p, each.p_wilcoxon, each.p_equivalence) == (
            "not enough seeds",
            None,
            None,
            None,
        )
        assert each.more_seeds == 1
    enough = [np.linspace(1.0, 1.1, seeds + 1)] * comparisons
    assert verdicts(*enough, margin=0.01) == ["better"] * comparisons


def test_one_seed_has_a_difference_and_nothing_else() -> None:
    (each,) = judged([paired([0.5], 0.1)], 0.1)
    assert (each.paired.mean, each.paired.interval, each.paired.effect) == (0.5, None, None)
    assert (each.verdict, each.more_seeds) == ("not enough seeds", 5)


def test_holm_holds_a_verdict_back() -> None:
    weak = np.array([1.0] * 12 + [-1.0] * 3)
    alone = 2 * stats.binom.sf(11, 15, 0.5)  # equal sizes: the sign test
    assert permutation_p(weak) == pytest.approx(alone, abs=0.01)
    assert 0.0125 < alone <= 0.05
    assert verdicts(weak) == ["better"]
    nothing = [normal(seed, 15) for seed in (2, 3, 4)]
    assert verdicts(weak, *nothing)[0] == "not enough seeds"


def test_the_effect_and_the_share_ahead_by_hand() -> None:
    d = np.array([1.0, 2.0, 0.0, -1.0, 3.0, 1.0])
    each = paired(d, 0.1)
    assert each.mean == pytest.approx(1.0)
    assert each.sd == pytest.approx(math.sqrt((0 + 1 + 1 + 4 + 4 + 0) / 5))
    assert each.effect == pytest.approx(1 / math.sqrt(2))
    assert each.superiority == pytest.approx((4 + 0.5) / 6)


def test_the_printed_interval_is_the_bootstraps_from_fifty_seeds() -> None:
    late, early = paired(normal(1, 50), 0.1), paired(normal(1, 49), 0.1)
    assert (late.interval, late.interval_kind) == (late.bootstrap_interval, "bootstrap (BCa)")
    assert (early.interval, early.interval_kind) == (early.t_interval, "paired t")


# ---------------------------------------------------------------------------------- calibration by
# simulation


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [10, 20, 60])
def test_identical_strategies_are_called_different_in_at_most_five_percent(seeds: int) -> None:
    rng, wrong = np.random.default_rng(seeds), 0
    for _ in range(1_000):
        d = rng.normal(size=seeds) - rng.normal(size=seeds)
        wrong += permutation_p(d) <= 0.05
    assert wrong <= stats.binom.ppf(0.999, 1_000, 0.05)


@pytest.mark.slow
def test_holm_keeps_three_identical_strategies_together() -> None:
    rng, wrong = np.random.default_rng(3), 0
    for _ in range(1_000):
        baseline = rng.normal(size=12)
        pairs = [paired_p(rng.normal(size=12) - baseline) for _ in range(3)]
        wrong += min(holm(pairs)) <= 0.05
    assert wrong <= stats.binom.ppf(0.999, 1_000, 0.05)


@pytest.mark.slow
def test_a_difference_of_one_sd_is_found_with_twenty_seeds() -> None:
    rng = np.random.default_rng(7)
    found = sum(permutation_p(rng.normal(1.0, 1.0, 20)) <= 0.05 for _ in range(1_000))
    assert found >= 950


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [10, 20, 100])
def test_intervals_cover_what_they_say(seeds: int) -> None:
    rng, covered = np.random.default_rng(seeds + 1), 0
    for _ in range(1_000):
        low, high = mean_interval(rng.normal(0.3, 1.0, seeds))
        covered += low <= 0.3 <= high
    assert 930 <= covered <= 970


def paired_p(d: np.ndarray) -> float:
    return permutation_p(d)
