"""Numbers as words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nas.reports.facts import ranges_text
from nas.reports.findings import Comparison, Margin
from nas.reports.outcome import Outcome
from nas.reports.sentences import interval_text, p_text, score_text, sentence, short, verdict

ROW = Comparison(
    arm="evolution",
    baseline="random-search",
    verdict="better",
    reason=None,
    negligible=False,
    more_seeds=None,
    seeds=20,
    paired_seeds=range(1, 21),
    mean_difference=0.2214,
    sd_of_differences=0.2542,
    interval=(0.1021, 0.3407),
    interval_kind="paired t",
    t_interval=(0.1021, 0.3407),
    bootstrap_interval=(0.1103, 0.3311),
    effect_size=0.871,
    superiority=0.85,
    superiority_interval=(0.64, 0.95),
    p=0.00412,
    p_wilcoxon=0.005,
    p_equivalence=1.0,
    sentence="",
)
OUTCOME = Outcome("final", "test", confirmed=False)


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((0.10214, 0.34071), "0.102 to 0.341"),
        ((-0.0254, 0.1304), "−0.025 to 0.130"),
        ((93.8111, 94.1972), "93.81 to 94.20"),
        ((1200.0, 5200.0), "1200 to 5200"),
        ((0.5, 0.5), "0.500 to 0.500"),
        (None, "–"),
    ],
)
def test_intervals(interval: tuple[float, float] | None, text: str) -> None:
    assert interval_text(interval) == text


def test_single_numbers() -> None:
    assert (p_text(0.0421), p_text(0.00042), p_text(1.0), p_text(None)) == (
        "0.042",
        "< 0.001",
        "1",
        "–",
    )
    assert (short(0.22141), short(-3.0), short(0), short(12_345.6), short(None)) == (
        "0.221",
        "−3",
        "0",
        "12,346",
        "–",
    )
    assert [score_text(value) for value in (94.37333, 94.2, -1.5, 0.41, 12_345.6, 3e6)] == [
        "94.373", "94.200", "−1.5000", "0.4100", "12346", "3,000,000",
    ]  # fmt: skip


def test_every_verdict_is_a_sentence() -> None:
    evidence = (
        "(95 % interval 0.102 to 0.341, 20 seeds, effect 0.87 sd, ahead in 85 % of seeds, "
        "p = 0.0041)."
    )
    assert sentence(ROW, OUTCOME, 0.1) == (
        "evolution is better than random-search: the test of its winners is 0.221 higher on "
        f"average {evidence}"
    )
    small = replace(ROW, negligible=True)
    assert "on average, though surely by less than the margin of 0.5 (" in sentence(
        small, OUTCOME, 0.5
    )
    worse = replace(ROW, verdict="worse", mean_difference=-0.2)
    assert (
        "is worse than random-search: the test of its winners is 0.2 lower on average"
        in sentence(worse, OUTCOME, 1)
    )
    same = replace(ROW, verdict="equivalent")
    assert sentence(same, OUTCOME, 0.5).startswith(
        "evolution and random-search are equivalent: the test of its winners differs by less than "
        "0.5 on average ("
    )
    one = replace(ROW, verdict="not enough seeds", seeds=1)
    assert "1 seed is not enough to tell" in sentence(one, OUTCOME, 0.1)
    few = replace(ROW, verdict="not enough seeds", more_seeds=12, p=None)
    assert sentence(few, Outcome("score", "score", confirmed=True), 0.1) == (
        "evolution against random-search: 20 seeds are not enough to tell (about 12 more would "
        "probably do) "
        "(95 % interval 0.102 to 0.341, 20 seeds, effect 0.87 sd, ahead in 85 % of seeds)."
    )


def test_the_verdict_names_every_arm_once() -> None:
    rows = [
        replace(ROW, arm="a"),
        replace(ROW, arm="b", verdict="not enough seeds"),
        replace(ROW, arm="c"),
        replace(ROW, arm="d", verdict="equivalent"),
        replace(ROW, arm="e", verdict="worse"),
    ]
    assert verdict(rows, [], "random-search", Margin(0.1, "before the first trial")) == (
        "A and c are better than random-search; e is worse than random-search; d is equivalent to "
        "random-search within "
        "0.1; for b there are not enough seeds to tell."
    )


def test_seeds_asranges_text() -> None:
    assert ranges_text([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"
    assert ranges_text([]) == ""
