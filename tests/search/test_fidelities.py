"""Short trainings first: three of a rung for one of the next, nothing lost by a kill, and whole
trainings alone decide."""

from __future__ import annotations

import json
import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nas.contracts import Evaluation, Strategy, Trial
from nas.evaluators.train import Train
from nas.registry import load
from nas.search.fidelities import Halving, cycle, fidelities_of
from nas.search.reading import ranked
from nas.testing.promises import keep_all
from nas.testing.strategy_promises import STRATEGY_PROMISES
from parts.command_line import ended, nas, started
from parts.studies import lines, story

SPACE = load("space", "nasbench201")()
JUDGED = ("--space", "nasbench201", "--evaluator", "landscape", "--fidelity", "1/4,1")
EVOLUTION = ("--strategy", "evolution", "--set", "strategy.population=3")
EVOLUTION += ("--set", "strategy.sample=2")
LEARNING: dict[str, dict[str, Any]] = {"evolution": {"population": 5, "sample": 3}, "critic": {}}


def halving(name: str, shares: tuple[float, ...], seed: int = 7) -> Strategy:
    return Halving(load("strategy", name)(SPACE, seed, **LEARNING.get(name, {})), shares)


@pytest.mark.parametrize("name", ["evolution", "critic", "local-search"])
def test_a_strategy_that_trains_short_first_keeps_all_promises(name: str) -> None:
    keep_all(STRATEGY_PROMISES, partial(halving, name, (0.25, 1.0)))


def test_three_of_a_rung_come_before_one_of_the_next() -> None:
    assert cycle(2) == [0, 0, 0, 1]
    assert cycle(3) == [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 2]
    assert fidelities_of("1/9, 1/3, 1") == (1 / 9, 1 / 3, 1.0)


def of_kind(folder: Path, kind: str) -> dict[int, dict[str, Any]]:
    return {event["number"]: event for event in lines(folder) if event["event"] == kind}


def test_the_best_third_is_trained_whole_and_one_of_these_wins(tmp_path: Path) -> None:
    words = ("--set", "evaluator.delay_seconds=0.004", "--trials", "24", "--out", tmp_path / "s")
    found = nas("search", *JUDGED, *EVOLUTION, *words, "--json").json
    asked, told, short = (of_kind(tmp_path / "s", kind) for kind in ("asked", "told", "stopped"))
    own = {number for number, event in told.items() if "reused" not in event}
    assert all(("fidelity" in asked[number]) == (number in short) for number in asked)
    assert {event["fidelity"] for event in asked.values() if "fidelity" in event} == {0.25}
    assert found["trials"] == 24
    assert len(own) == len(told)
    promoted = {number: event for number, event in asked.items() if "promotes" in event["notes"]}
    assert promoted.keys() == told.keys()
    assert 5 <= len(promoted) <= 7
    taken: set[str] = set()
    for number, event in sorted(promoted.items()):
        scores = {asked[n]["key"]: end["score"] for n, end in reversed(short.items()) if n < number}
        waiting = {key: score for key, score in scores.items() if key not in taken}
        assert scores[event["key"]] == max(waiting.values())
        better = [score for score in scores.values() if score > scores[event["key"]]]
        assert len(better) <= sum(n < number for n in short) / 3  # so it is among the best third
        taken.add(event["key"])
    assert found["best"]["number"] in promoted
    assert found["best"]["score"] == max(event["score"] for event in told.values())
    paid = sum(event["seconds"] for event in (*told.values(), *short.values()))
    assert found["cost_seconds"] == pytest.approx(paid)
    assert nas("status", tmp_path / "s", "--check").code == 0
    assert {one.asked["number"] for one in ranked(tmp_path / "s", 30)} == promoted.keys()


def test_kill_9_loses_nothing(tmp_path: Path) -> None:
    words = ("search", *JUDGED, *EVOLUTION, "--set", "evaluator.delay_seconds=0.02")
    words += ("--trials", "40")
    process = started(*words, "--out", tmp_path / "killed", start_new_session=True)
    log, deadline = tmp_path / "killed" / "events.jsonl", time.monotonic() + 60
    while not (log.exists() and log.read_bytes().count(b"\n") > 40):
        assert time.monotonic() < deadline, "nothing is written"
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    ended(process)
    for folder in ("killed", "whole"):
        assert nas(*words, "--out", tmp_path / folder).code == 0
    of_trials = [
        [entry for entry in story(lines(tmp_path / folder)) if entry[0] in ("asked", "told")]
        for folder in ("killed", "whole")
    ]
    assert of_trials[0] == of_trials[1]


@pytest.mark.slow
def test_a_deterministic_search_is_the_same_on_two_workers(tmp_path: Path) -> None:
    words = ("search", *JUDGED, *EVOLUTION, "--deterministic", "--trials", "30")
    for workers in ("1", "2"):
        said = nas(*words, "--workers", workers, "--out", tmp_path / workers)
        assert said.code == 0, said.err
    one, two = (story(lines(tmp_path / workers)) for workers in ("1", "2"))
    assert one == two


def test_a_short_training_has_a_schedule_of_its_own(tmp_path: Path) -> None:
    quick = {"dataset": "digits", "device": "cpu", "precision": "fp32", "layout": "channels-last"}
    recipe = {"epochs": 4, "batch_size": 32, "train_images": 64}
    ladder = load("space", "ladder")()
    whole = Train(ladder, **quick, recipe=recipe, skeleton={"filters": 2})  # type: ignore[arg-type]
    rates: list[float] = []

    def report(step: int, metrics: Any) -> bool:
        rates.append(metrics["learning_rate"])
        return True

    genotype = ladder.decode((0, 0, 0))
    half = whole.at(0.5)
    half.evaluate(genotype, seed=1, workdir=tmp_path / "half", report=report)
    whole.evaluate(genotype, seed=1, workdir=tmp_path / "whole", report=report)
    assert (half.last_step, whole.last_step) == (2, 4)
    assert len(rates) == 6
    assert rates[1] < rates[3]  # its second epoch is its last


def test_who_has_a_critic_is_told_what_was_tried() -> None:
    strategy = load("strategy", "critic")(SPACE, 7)
    for number in range(6):
        proposal = strategy.ask(number)
        trial = Trial(number, proposal.genotype, 0, proposal.notes)
        if number % 3:
            strategy.tried(trial)
        else:
            strategy.tell(trial, Evaluation(0.5))
        assert trial.genotype.key != strategy.ask(number + 1).genotype.key
    assert strategy.past.ahead(6) == 0
    assert len(strategy.past) == 2


def test_what_does_not_go_together_is_refused_in_a_sentence(tmp_path: Path) -> None:
    plain = JUDGED[:-2]
    for words, sentence in (
        ((*plain, "--fidelity", "1,1/4"), "two to four rising shares"),
        ((*plain, "--fidelity", "1/4"), "two to four rising shares"),
        ((*JUDGED, "--early-stop", "asha"), "--fidelity and --early-stop do not go together"),
        (("--evaluator", "proxy:params", "--fidelity", "1/4,1"), "knows no shorter training"),
    ):
        assert sentence in nas("search", *words, "--out", tmp_path / "s").sentence
        assert not (tmp_path / "s").exists()


def test_a_comparison_has_the_same_rungs_for_every_arm(tmp_path: Path) -> None:
    words = ("--strategies", "evolution", "--seeds", "1", "--trials", "8", "--no-report")
    said = nas("compare", *JUDGED, *words, "--out", tmp_path / "c")
    assert said.code == 0, said.err
    for arm in ("evolution", "random-search"):
        study = tmp_path / "c" / arm / "seed-1"
        assert json.loads((study / "study.json").read_text())["fidelity"] == [0.25, 1.0]
        assert len(of_kind(study, "told")) == 2
