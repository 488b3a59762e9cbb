"""`--evaluations-per-trial`: the mean over seeds is the score, and its spread is kept and used."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
import torch

import nas
from nas.contracts import Evaluation, Evaluator, Report, Stopped, Trial
from nas.errors import SettingsError
from nas.evaluators._repeated import Repeated
from nas.registry import load
from nas.seeding import derive
from nas.strategies.controller.gaussian_process import NOISE, Repeats, noise_of
from nas.strategies.controller.plain_space import PlainSpace
from nas.strategies.critic import CriticSearch
from nas.study.attempt import attempt, never_stop
from nas.study.seed_spread import own_metrics, seed_spread
from parts.command_line import nas as command
from parts.command_line import started
from parts.studies import TINY, Judge, lines, story, tiny, write_log
from search_spaces.cells.genotype import Genotype

NOISY = ("--evaluator", "landscape", "--set", "evaluator.noise=0.1", "--space", "nasbench201")
THRICE = ("--evaluations-per-trial", "3")


def told(folder: Path) -> list[dict[str, Any]]:
    return [event for event in lines(folder) if event["event"] == "told"]


class Curved(Evaluator):
    """Reports three steps, whose scores hang on the seed, and keeps a file."""

    last_step = 3

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        (workdir / "keep").mkdir()
        (workdir / "keep" / "seed").write_text(str(seed))
        for step in range(1, 4):
            if not report(step, {"score": step / 10, "loss": float(step)}):
                return Evaluation(step / 10, {}, 1.0)
        metrics = {"seed": seed % 7, "params": 12, "device": "cpu", "name": str(seed)}
        return Evaluation(seed % 7, metrics, 2.0)


def judged(
    times: int, workdir: Path, stop_at: int = 99
) -> tuple[Any, list[tuple[int, dict[str, Any]]]]:
    curve: list[tuple[int, dict[str, Any]]] = []

    def report(step: int, metrics: Any) -> bool:
        curve.append((step, dict(metrics)))
        return len(curve) < stop_at

    trial = Trial(0, tiny(0, 0), seed=5)
    return attempt(Repeated(Curved(TINY), times), trial, workdir, report), curve


def test_the_mean_of_several_seeds_is_the_score_and_seconds_add_up(tmp_path: Path) -> None:
    found, curve = judged(3, tmp_path)
    seeds = [5, derive(5, "evaluation", 1), derive(5, "evaluation", 2)]
    scores = [float(seed % 7) for seed in seeds]
    assert len(set(scores)) > 1
    assert (found.score, found.seconds) == (fmean(scores), 6.0)
    assert found.metrics == {
        "seed": fmean(scores),
        "params": 12,
        "device": "cpu",
        "scores": scores,
        "score_sd": stdev(scores),
        "evaluations": 3,
        "first_seed": {"seed": 5, "params": 12},  # of the network whose file stays
    }
    assert own_metrics(found.metrics)["seed"] == 5
    assert [step for step, _ in curve] == list(range(1, 10))
    assert ["score" in metrics for _, metrics in curve] == [True] * 3 + [False] * 6
    assert curve[-1][1] == {"loss": 3.0, "evaluation": 2}
    assert (tmp_path / "keep" / "seed").read_text() == "5", "the network of the first seed stays"


def test_a_card_says_what_the_kept_weights_came_to(tmp_path: Path) -> None:
    from nas.exporting.choosing import choices

    command(
        "search",
        *NOISY,
        *THRICE,
        "--strategy",
        "random-search",
        "--trials",
        "2",
        "--out",
        tmp_path / "s",
    )
    study = tmp_path / "s"
    log = lines(study)
    for event in log:
        if event["event"] == "told":
            event["metrics"] |= {"val_accuracy": 0.5, "first_seed": {"val_accuracy": 0.25}}
    write_log(study, log)
    origin = choices(str(study))[0].origin
    assert origin["validation accuracy"] == 0.25
    assert origin["score of"].startswith("3 seeds, ± ")


def test_a_trial_that_is_stopped_early_is_judged_no_further(tmp_path: Path) -> None:
    found, curve = judged(3, tmp_path, stop_at=2)
    assert isinstance(found, Stopped)
    assert (found.step, found.seconds, len(curve)) == (2, 1.0, 2)


def test_one_failure_fails_the_trial(tmp_path: Path) -> None:
    class Fragile(Judge):
        def evaluate(self, genotype: Genotype, *, seed: int, **rest: Any) -> Evaluation:
            return Evaluation(float("nan") if seed != 5 else 0.5)

    outcome = attempt(
        Repeated(Fragile(TINY), 2), Trial(0, tiny(0, 0), seed=5), tmp_path, never_stop
    )
    assert getattr(outcome, "kind", None) == "diverged"


def test_it_is_kept_shown_and_continued(tmp_path: Path) -> None:
    study, words = tmp_path / "s", ("search", *NOISY, *THRICE, "--strategy", "critic", "--out")
    begun = command(*words, study, "--trials", "12")
    assert "budget: 12 trials, each judged with 3 seeds, seed 0" in begun.err
    winner = max(told(study), key=lambda event: event["score"])
    shown = f"{winner['score']:.6g} ± {winner['metrics']['score_sd']:.2g} over 3 seeds"
    assert f"score {shown}" in begun.out
    assert f"score {shown}" in command("status", study).out
    assert f"score {shown}" in command("best", study).out
    best = command("status", study, "--json").json["best"]
    assert (best["score_sd"], best["evaluations"]) == (winner["metrics"]["score_sd"], 3)

    assert command(*words, study, "--trials", "14").code == 0
    assert command("status", study, "--check").code == 0
    other = command("search", *NOISY, "--strategy", "critic", "--trials", "14", "--out", study)
    assert "rules.evaluations_per_trial: 3 there" in other.sentence


@pytest.mark.slow
def test_a_report_draws_it_as_bars(tmp_path: Path) -> None:
    study = tmp_path / "s"
    words = ("search", *NOISY, *THRICE, "--strategy", "critic", "--trials", "12", "--out", study)
    assert command(*words).code == 0
    winner = max(told(study), key=lambda event: event["score"])
    command("report", study)
    report = json.loads((study / "report.json").read_text())
    first = report["judged_often"]["critic"][0]
    assert first["score"] == winner["score"]
    assert first["error"] == pytest.approx(winner["metrics"]["score_sd"] / 3**0.5)
    page = (study / "report.html").read_text()
    assert "over 3 seeds" in page
    assert "each score the mean of 3 seeds" in page
    assert (study / "figures" / "seeds.svg").is_file()


def test_without_it_nothing_is_said_and_the_folder_is_called_as_ever(tmp_path: Path) -> None:
    command("search", *NOISY, "--trials", "3", "--strategy", "random-search", "--out", tmp_path)
    record = json.loads((tmp_path / "study.json").read_text())
    assert "evaluations_per_trial" not in record["rules"]
    assert "score_sd" not in told(tmp_path)[0]["metrics"]


@pytest.mark.slow
def test_killed_between_two_evaluations_every_trial_still_ends_once(tmp_path: Path) -> None:
    words = ("search", "--space", "nasbench201", "--evaluator", "landscape", *THRICE)
    words += ("--set", "evaluator.delay_seconds=0.03", "--set", "evaluator.noise=0.1")
    words += (
        "--strategy",
        "evolution",
        "--set",
        "strategy.population=5",
        "--set",
        "strategy.sample=3",
    )
    words += ("--trials", "10", "--out")
    assert command(*words, tmp_path / "whole").code == 0
    for after in (2, 5):
        process = started(*words, tmp_path / "killed")
        deadline = time.monotonic() + 60
        log = tmp_path / "killed" / "events.jsonl"
        while not log.exists() or log.read_bytes().count(b'"event":"told"') < after:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(0.04)  # one of three is done
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.communicate()
    assert command(*words, tmp_path / "killed").code == 0
    assert story(lines(tmp_path / "killed")) == story(lines(tmp_path / "whole"))
    assert command("status", tmp_path / "killed", "--check").code == 0
    spent = sum(event["seconds"] for event in told(tmp_path / "killed"))
    assert spent == pytest.approx(10 * 3 * 0.03), "all evaluations are charged"


def test_from_python_and_in_a_loop_of_ones_own(tmp_path: Path) -> None:
    study = nas.search(
        space="nasbench201",
        evaluator="landscape",
        set={"evaluator.noise": 0.1},
        strategy="random-search",
        trials=4,
        evaluations_per_trial=3,
        out=tmp_path / "s",
    )
    assert set(study.trials()["evaluations"]) == {3}
    with (
        pytest.raises(SettingsError, match="judge with several seeds there"),
        nas.open_study(
            tmp_path / "own",
            space="ladder",
            strategy="evolution",
            trials=3,
            evaluations_per_trial=3,
        ),
    ):
        pass
    assert not (tmp_path / "own").exists()


def test_every_arm_is_judged_alike(tmp_path: Path) -> None:
    words = ("--strategies", "evolution", "--seeds", "2", "--trials", "6", "--processes", "1")
    words += ("--no-report",)
    assert command("compare", *NOISY, *THRICE, *words, "--out", tmp_path / "c").code == 0
    logs = sorted((tmp_path / "c").rglob("events.jsonl"))
    assert len(logs) == 4
    for log in logs:
        ends = [event for event in told(log.parent) if "reused" not in event]
        assert [event["metrics"]["evaluations"] for event in ends] == [3] * 6


# ------------------------------------------------------------------ who models noise


def test_the_critic_takes_noise_from_the_spread() -> None:
    scores = torch.tensor([0.0, 1.0, 2.0, 3.0, 0.0, 3.0], dtype=torch.float64)  # variance 19 / 12
    errors = torch.tensor([0.5, 0.5, float("nan"), 0.5, 0.5, 0.5], dtype=torch.float64)
    assert noise_of(scores, errors) == pytest.approx(0.25 / (19 / 12 - 0.25))
    assert noise_of(scores, torch.full((6,), float("nan"))) == NOISE
    assert noise_of(scores, torch.zeros(6)) == pytest.approx(1e-3)
    assert noise_of(scores, torch.full((6,), 9.0)) == 10.0


def test_the_critic_takes_noise_from_repeats_once_there_are_enough() -> None:
    scores = torch.tensor([0.0, 1.0, 2.0, 3.0, 0.0, 3.0], dtype=torch.float64)
    unknown, known = torch.full((6,), float("nan")), torch.tensor([0.5, 0.5] + [float("nan")] * 4)
    assert noise_of(scores, unknown, Repeats(2.0, 4)) == NOISE
    assert noise_of(scores, unknown, Repeats(2.5, 5)) == pytest.approx(0.5 / (19 / 12 - 0.5))
    assert noise_of(scores, known, Repeats(1.0, 2)) == NOISE
    assert noise_of(scores, known, Repeats(1.0, 3)) == pytest.approx(0.3 / (19 / 12 - 0.3))


@pytest.mark.parametrize("strategy", ["critic", "policy-gradient"])
def test_architectures_trained_again_tell_the_noise_and_scores_told_again_do_not(
    strategy: str,
) -> None:
    options = {"hidden": 8} if strategy == "policy-gradient" else {}
    space = PlainSpace.of(3, 4, 2, 5)

    def told(steps: Sequence[float]) -> Any:
        """Eight architectures, three times each; the second and third time so much higher."""
        one = load("strategy", strategy)(space, 0, **options)
        for number in range(24):
            which = number % 8
            genotype = space.decode((which % 3, which % 4, which % 2, which % 5))
            score = which + steps[number // 8]
            one.tell(Trial(number, genotype, number), Evaluation(score))
        return one

    assert told((0.0, 0.0, 0.0)).past.noise() == NOISE
    loud, quiet = told((0.0, 2.0, -2.0)), told((0.0, 0.1, -0.1))
    assert quiet.past.noise() < NOISE < loud.past.noise()
    thawed = load("strategy", strategy)(space, 0, **options)
    thawed.restore(loud.snapshot())
    assert thawed.past.noise() == loud.past.noise()
    assert thawed.ask(24) == loud.ask(24)


@pytest.mark.parametrize("strategy", ["critic", "policy-gradient"])
def test_whoever_models_noise_hears_of_it_and_thaws_with_it(strategy: str) -> None:
    options = {"hidden": 8} if strategy == "policy-gradient" else {}

    def made(sd: float | None, count: int = 8) -> Any:
        one = load("strategy", strategy)(PlainSpace.of(3, 4, 2, 5), 0, **options)
        for number in range(count):
            metrics = {} if sd is None else {"score_sd": sd, "evaluations": 4}
            proposal = one.ask(number)
            score = float(sum(one.space.encode(proposal.genotype)))
            trial = Trial(number, proposal.genotype, number, proposal.notes)
            one.tell(trial, Evaluation(score, metrics))
        return one

    noise = {sd: made(sd).past.noise() for sd in (None, 0.01, 4.0)}
    assert noise[None] == NOISE
    assert noise[0.01] < NOISE < noise[4.0]

    one = made(4.0, 66)  # more than the arrays begin with
    thawed = load("strategy", strategy)(PlainSpace.of(3, 4, 2, 5), 0, **options)
    thawed.restore(one.snapshot())
    assert thawed.past.noise() == one.past.noise()
    assert thawed.ask(66) == one.ask(66)
    assert "errors" not in made(None).snapshot(), "as before, where nobody says a spread"


def test_a_spread_that_is_none_is_not_believed() -> None:
    for metrics in (
        {"score_sd": -1.0, "evaluations": 3},
        {"score_sd": 0.1, "evaluations": 1},
        {"score_sd": None, "evaluations": 3},
        {"score_sd": 0.1, "evaluations": True},
        {"score_sd": 0.1},
    ):
        assert seed_spread(metrics) is None
    assert CriticSearch(PlainSpace.of(2, 2), 0).past.noise() == NOISE
