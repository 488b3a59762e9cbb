"""Numbers as words."""

from __future__ import annotations

from typing import Any

import pytest

from nas.reports.facts import ranges_text
from nas.reports.outcome import Outcome
from nas.reports.sentences import interval_text, p_text, score_text, sentence, short, verdict

ROW: dict[str, Any] = {
    "arm": "evolution",
    "baseline": "random-search",
    "verdict": "better",
    "negligible": False,
    "more_seeds": None,
    "seeds": 20,
    "mean_difference": 0.2214,
    "interval": (0.1021, 0.3407),
    "effect_size": 0.871,
    "superiority": 0.85,
    "p": 0.00412,
}
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
    small = {**ROW, "negligible": True}
    assert "on average, though surely by less than the margin of 0.5 (" in sentence(
        small, OUTCOME, 0.5
    )
    worse = {**ROW, "verdict": "worse", "mean_difference": -0.2}
    assert (
        "is worse than random-search: the test of its winners is 0.2 lower on average"
        in sentence(worse, OUTCOME, 1)
    )
    same = {**ROW, "verdict": "equivalent"}
    assert sentence(same, OUTCOME, 0.5).startswith(
        "evolution and random-search are equivalent: the test of its winners differs by less than "
        "0.5 on average ("
    )
    few = {**ROW, "verdict": "not enough seeds", "more_seeds": 12, "p": None}
    assert sentence(few, Outcome("score", "score", confirmed=True), 0.1) == (
        "evolution against random-search: 20 seeds are not enough to tell (about 12 more would "
        "probably do) "
        "(95 % interval 0.102 to 0.341, 20 seeds, effect 0.87 sd, ahead in 85 % of seeds)."
    )


def test_the_verdict_names_every_arm_once() -> None:
    rows = [
        {**ROW, "arm": "a"},
        {**ROW, "arm": "b", "verdict": "not enough seeds"},
        {**ROW, "arm": "c"},
        {**ROW, "arm": "d", "verdict": "equivalent"},
        {**ROW, "arm": "e", "verdict": "worse"},
    ]
    result = {"comparisons": rows, "baseline": "random-search", "margin": {"value": 0.1}}
    assert verdict(result) == (
        "A and c are better than random-search; e is worse than random-search; d is equivalent to "
        "random-search within "
        "0.1; for b there are not enough seeds to tell."
    )


def test_seeds_asranges_text() -> None:
    assert ranges_text([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"
    assert ranges_text([]) == ""
