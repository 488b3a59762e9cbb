"""Audits: numbers by hand, what the sentence may say, and the verb from its words to its files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from nas.reports.rank_agreement import (
    SCREENS_FROM,
    Tau,
    agreement,
    ceiling,
    judged_worth,
    mean_tau,
    search_from,
)
from nas.seeding import numpy_rng
from parts.command_line import nas

AUDIT = ("audit", "--space", "nasbench201", "--true", "landscape", "--set", "evaluator.noise=0.1")
LIKE = (*AUDIT, "--cheap", "landscape", "--n", "20")


def drawn(rng: np.random.Generator, count: int, cheap: float, again: float) -> NDArray[np.float64]:
    """A cheap judge and two noisy true ones, with these correlations."""
    covariance = [[1.0, cheap, cheap], [cheap, 1.0, again], [cheap, again, 1.0]]
    return rng.multivariate_normal(np.zeros(3), covariance, count).T


def test_tau_is_kendalls_with_ties() -> None:
    rng = numpy_rng(0, "ties")
    a, b = rng.integers(0, 6, (2, 40)).astype(float)
    assert mean_tau([(a, b)]).value == pytest.approx(stats.kendalltau(a, b).statistic)


def test_intervals_cover_what_they_promise_and_sentences_err_rarely() -> None:
    """benchmarks/audit_coverage.py does the same at length."""
    rng, covered, wrong, runs = numpy_rng(0, "coverage"), 0, 0, 0
    for cheap, again in ((0.0, 0.5), (0.15, 0.3), (0.45, 0.6), (0.7, 0.9)):
        true_tau = 2 / math.pi * math.asin(cheap)
        perfect = ceiling(2 / math.pi * math.asin(again))
        for _ in range(150):
            c, *t = drawn(rng, 40, cheap, again)
            found = agreement(c, t)
            assert found.tau.low is not None
            assert found.tau.high is not None
            runs, covered = runs + 1, covered + (found.tau.low <= true_tau <= found.tau.high)
            wrong += {
                "search": true_tau < search_from(perfect),
                "screen": true_tau < SCREENS_FROM,
                "not": true_tau >= SCREENS_FROM,
                "not shown": False,
            }[found.worth]
    assert 0.93 <= covered / runs <= 0.97
    assert wrong / runs <= 0.05


def test_a_judge_without_noise_reaches_the_ceiling() -> None:
    worth, *seeds = numpy_rng(1, "ceiling").standard_normal((3, 1500))
    noisy = [worth + noise for noise in seeds]
    again = mean_tau([(noisy[0], noisy[1])]).value
    assert again == pytest.approx(1 / 3, abs=0.04)
    reached = mean_tau([(worth, each) for each in noisy]).value
    assert ceiling(again) == pytest.approx(reached, abs=0.03)


@pytest.mark.parametrize(
    ("low", "high", "perfect", "worth"),
    [
        (0.35, 0.6, 0.5, "search"),
        (0.35, 0.6, 0.9, "screen"),
        (0.12, 0.5, 0.5, "screen"),
        (-0.2, 0.09, 0.5, "not"),
        (-0.1, 0.3, 0.5, "not shown"),
        (None, None, 0.5, "not shown"),
    ],
)
def test_only_a_whole_interval_says_something(
    low: float | None, high: float | None, perfect: float, worth: str
) -> None:
    assert judged_worth(Tau(0.4, low, high), perfect) == worth


def test_what_choosing_by_it_costs() -> None:
    true = np.arange(20.0)
    cheap = true.copy()
    cheap[3] = 99.0
    found = agreement(cheap, [true - 0.5, true + 0.5])
    assert (found.rank, found.winner_score, found.best_score) == (17, 3.0, 19.0)
    assert (found.regret, found.random_regret) == (16.0, 9.5)
    exact = agreement(true, [true, true])
    assert (exact.rank, exact.regret, exact.tau.low, exact.worth) == (1, 0.0, 1.0, "search")
    assert exact.top_tenth == pytest.approx(1 - 0.9**20, abs=0.03)
    assert agreement(np.zeros(20), [true, true]).worth == "not shown"


def test_an_audit_is_ordinary_studies_of_the_same_genotypes(tmp_path: Path) -> None:
    out = tmp_path / "a"
    answer = nas(*LIKE, "--out", str(out), "--set", "cheap.noise=0.3")
    assert answer.code == 0, answer.err
    first, *_, last, wrote, picture = answer.out.splitlines()
    assert first == "20 genotypes judged by landscape and twice by landscape"
    assert last.startswith("landscape is ")
    assert (wrote.split()[-1], picture.split()[-1]) == (
        str(out / "audit.json"),
        str(out / "audit.png"),
    )
    keys, seeds = [], set()
    for name in ("cheap", "true-0", "true-1"):
        log = (out / name / "events.jsonl").read_text()
        events = [json.loads(line) for line in log.splitlines()]
        keys.append([event["key"] for event in events if event["event"] == "asked"])
        seeds |= {event["seed"] for event in events if event["event"] == "asked"}
    assert keys[0] == keys[1] == keys[2]
    assert len(seeds) == 60  # no judge has a seed of another
    plans = [json.loads((out / name / "study.json").read_text()) for name in ("cheap", "true-0")]
    assert [plan["evaluator"]["options"]["noise"] for plan in plans] == [0.3, 0.1]


def test_the_same_command_judges_nothing_again_and_a_larger_n_adds(tmp_path: Path) -> None:
    out = str(tmp_path / "a")
    said = nas(*LIKE, "--out", out, "--json").json
    log = tmp_path / "a" / "true-1" / "events.jsonl"
    before = log.read_bytes()
    assert nas(*LIKE, "--out", out, "--json").json == said
    assert log.read_bytes() == before
    assert said == json.loads((tmp_path / "a" / "audit.json").read_text())
    more = nas(*AUDIT, "--cheap", "landscape", "--n", "30", "--out", out, "--json").json
    assert (said["genotypes"], more["genotypes"]) == (20, 30)
    assert log.read_bytes().startswith(before[:1000])


def test_what_the_cheap_judge_does_not_know_is_refused(tmp_path: Path) -> None:
    out = str(tmp_path / "a")
    answer = nas(*LIKE, "--out", out, "--set", "cheap.epoch=3")
    assert answer.code == 2
    assert "evaluator has no option" in answer.err or "'epoch'" in answer.err
    assert not (tmp_path / "a").exists()


def test_so_few_genotypes_that_there_is_no_interval_are_said_to_say_nothing(tmp_path: Path) -> None:
    said = nas(*AUDIT, "--cheap", "landscape", "--n", "4", "--out", str(tmp_path)).out
    assert "4 genotypes say nothing of its tau" in said
    assert "may be ?" not in said
