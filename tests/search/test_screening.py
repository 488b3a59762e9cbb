"""A screen: of several proposals the best by a cheap judge is tried, and the search stays exact."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import nas as library
from nas.contracts import Evaluation, Evaluator, Report, Strategy, Trial
from nas.registry import load
from nas.search.screening import Screened
from nas.seeding import numpy_rng
from nas.strategies.controller.past import Past
from nas.testing.promises import keep_all
from nas.testing.strategy_promises import STRATEGY_PROMISES
from parts.command_line import nas
from parts.studies import lines, story
from search_spaces.cells.genotype import Genotype

SPACE = load("space", "nasbench201")()
JUDGED = ("--space", "nasbench201", "--evaluator", "landscape")
SCREEN = ("--screen", "landscape:4", "--set", "screen.seed=7")


class Longest(Evaluator):
    """Likes what is written long, and cannot judge what begins with a zero."""

    cheap = True

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        del seed, workdir, report
        text = genotype.key
        if text.startswith("0"):
            raise ValueError("no zeros")
        return Evaluation(float(int(text, 16) % 97))


def screened(name: str, options: dict[str, Any], seed: int = 7) -> Strategy:
    inside = load("strategy", name)(SPACE, seed, **options)
    return Screened(inside, Longest(SPACE), 4)


@pytest.mark.parametrize(
    ("name", "options"),
    [("evolution", {"population": 5, "sample": 3}), ("local-search", {}), ("critic", {})],
)
def test_a_strategy_behind_a_screen_keeps_all_promises(name: str, options: Any) -> None:
    keep_all(STRATEGY_PROMISES, partial(screened, name, options))


def asked(folder: Path) -> list[dict[str, Any]]:
    return [event for event in lines(folder) if event["event"] == "asked"]


def test_the_best_new_proposal_is_tried_and_all_stand_in_the_log(tmp_path: Path) -> None:
    words = ("--strategies", "evolution", "--set", "evolution.population=5", "--seeds", "1")
    own = ("--set", "evolution.sample=2", "--trials", "12", "--no-report")
    said = nas("compare", *JUDGED, *SCREEN, *words, *own, "--out", tmp_path / "c")
    assert said.code == 0, said.err
    drawn = load("strategy", "random-search")(SPACE, 1)
    for arm in ("random-search", "evolution"):
        known: set[str] = set()
        for event in asked(tmp_path / "c" / arm / "seed-1"):
            noted = event["notes"]["screened"]
            four = [Genotype.from_dict(one) for one in noted["genotypes"]]
            assert len(four) == len(noted["scores"]) == 4
            if arm == "random-search":
                first = 4 * event["number"]
                assert four == [drawn.ask(first + place).genotype for place in range(4)]
            new = [one.key not in known for one in four]
            best = max(range(4), key=lambda place: (new[place], noted["scores"][place]))
            assert noted["chosen"] == best
            assert event["genotype"] == noted["genotypes"][best]
            known.add(event["key"])
    settings = json.loads((tmp_path / "c" / "evolution" / "seed-1" / "study.json").read_text())
    assert settings["screen"]["proposals"] == 4
    assert settings["screen"]["judge"]["options"]["seed"] == 7


def test_it_goes_on_exactly_and_replays_alike(tmp_path: Path) -> None:
    words = ("search", *JUDGED, *SCREEN, "--strategy", "evolution")
    words += ("--set", "strategy.population=5", "--set", "strategy.sample=2")
    assert nas(*words, "--trials", "20", "--out", tmp_path / "whole").code == 0
    assert nas(*words, "--trials", "9", "--out", tmp_path / "parts").code == 0
    assert nas("resume", tmp_path / "parts", "--trials", "20").code == 0
    trials = [
        [entry for entry in story(lines(tmp_path / folder)) if entry[0] in ("asked", "told")]
        for folder in ("whole", "parts")
    ]
    assert trials[0] == trials[1]
    checked = nas("status", tmp_path / "parts", "--check")
    assert checked.code == 0, checked.out + checked.err
    plain = ("search", *JUDGED, *words[1 + len(JUDGED) + len(SCREEN) :])
    assert "other settings (screen" in nas(*plain, "--out", tmp_path / "whole").sentence


def test_a_budget_in_seconds_pays_for_it(tmp_path: Path) -> None:
    found = nas("search", *JUDGED, *SCREEN, "--trials", "5", "--out", tmp_path / "s", "--json")
    events = lines(tmp_path / "s")
    judged = [event["judged_seconds"] for event in events if event["event"] == "asked"]
    assert len(judged) == 5
    assert min(judged) > 0
    own = sum(event["seconds"] for event in events if event["event"] == "told")
    assert found.json["cost_seconds"] == pytest.approx(own + sum(judged))


def test_what_cannot_screen_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for words, sentence in (
        (("--screen", "landscape"), "expected a judge and how many proposals"),
        (("--screen", "landscape:1"), "expected a judge and how many proposals"),
        (("--screen", "train:4"), "that judge trains, and a screen must be cheap"),
        (
            ("--screen", "proxy.grasp:4", "--set", "screen.no=1"),
            "no option of evaluator",
        ),
        (("--set", "screen.batch=4"), "nobody screens: add --screen"),
    ):
        out = tmp_path / "s"
        assert sentence in nas("search", *JUDGED, *words, "--out", out).sentence
        assert not out.exists()


def test_python_takes_the_same_words(tmp_path: Path) -> None:
    found = library.search(
        space="nasbench201",
        evaluator="landscape",
        strategy="random-search",
        trials=4,
        screen="landscape:3",
        out=tmp_path / "s",
    )
    assert [len(event["notes"]["screened"]["scores"]) for event in asked(found.folder)] == [3] * 4


def test_a_critic_counts_trials_and_not_what_was_screened_out() -> None:
    past = Past(SPACE, 0)
    assert [past.ahead(number, 4) for number in range(9)] == [0, 1, 2, 3, 1, 2, 3, 4, 2]
    genotype = SPACE.sample(numpy_rng(0))
    for number in (2, 5, 15):  # of the trials 0, 1 and 3
        past.hear(Trial(number, genotype, 0), SPACE.encode(genotype), Evaluation(0.0))
    assert [past.ahead(number, 4) for number in (16, 17, 20)] == [1, 2, 2]
