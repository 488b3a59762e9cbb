"""A strategy of ours where a `tune.Tuner` of one's own asks, and searches inside Ray jobs of one's
own."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.contracts import Evaluation, Proposal, Strategy, Trial
from nas.errors import NasError, StoreError
from parts.clusters import PATIENCE, why_not_here
from parts.studies import lines
from search_spaces.cells.space import SearchSpace

CLUSTER = Path(__file__).parents[2] / "docs" / "cluster.md"
FEW = {"name": "table", "decisions": {"x": [0, 1, 2, 3], "y": ["a", "b"]}}


class Hears(Strategy):
    """Draws in order, and remembers what it is told."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, seed)
        self.heard: list[tuple[int, float]] = []

    def ask(self, number: int) -> Proposal | None:
        if number >= 10:
            return None
        return Proposal(self.space.decode((number % 4, number // 4 % 2)), {"n": number})

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        assert trial.notes == {"n": trial.number}
        self.heard.append((trial.number, evaluation.score))


def searcher(mode: str = "max", **options: Any) -> Any:
    return nas.ray_searcher(Hears, space=FEW, metric="score", mode=mode, **options)


def heard(made: Any) -> list[tuple[int, float]]:
    found: list[tuple[int, float]] = made._suggestions.strategy.heard
    return found


def report(made: Any, name: str, step: int, score: float, *, passes: bool) -> None:
    """One report, as Tune's controller hands it on: the searcher hears of it if it ends nothing."""
    if passes:
        made.on_trial_result(name, {"score": score, "training_iteration": step})
    else:
        made.on_trial_complete(name, {"score": score, "training_iteration": step, "done": True})


def test_a_config_says_all_that_was_chosen() -> None:
    config = nas.ray_searcher("evolution", space="nasbench201", metric="s", mode="max").suggest("a")
    network = nas.build(config.pop("genotype"))
    assert sum(parameter.numel() for parameter in network.parameters()) > 0
    assert isinstance(config.pop("seed"), int)
    assert len(config) == 6


def test_a_trial_that_ended_by_itself_is_full_and_a_stopped_one_never() -> None:
    made = searcher(stopped_as="ignore")
    for name in "abc":
        made.suggest(name)
    report(made, "a", 1, 0.5, passes=True)
    report(made, "a", 1, 0.5, passes=False)  # it ended by itself: the same report once more
    report(made, "b", 1, 0.9, passes=False)  # a scheduler ended it at its first report
    made.on_trial_complete("c", error=True)
    made.on_trial_complete("nobody", {"score": 1.0, "training_iteration": 1})
    assert heard(made) == [(0, 0.5)]


def test_a_stopped_trial_is_told_as_the_worst_full_one() -> None:
    made = searcher(mode="min")
    for name in "abc":
        made.suggest(name)
    for name, loss in (("a", 2.0), ("b", 5.0)):
        report(made, name, 1, loss, passes=True)
        report(made, name, 1, loss, passes=False)
    report(made, "c", 1, 0.1, passes=False)
    assert heard(made) == [(0, -2.0), (1, -5.0), (2, -5.0)]


def test_the_last_step_says_what_is_full() -> None:
    made = searcher(last_step=3, stopped_as="ignore")
    for name in "ab":
        made.suggest(name)
    report(made, "a", 2, 0.9, passes=True)
    report(made, "a", 2, 0.9, passes=False)  # by itself, but too soon
    report(made, "b", 3, 0.4, passes=False)  # a scheduler's last step is a full trial's
    assert heard(made) == [(1, 0.4)]


def test_where_nothing_is_ever_full_it_says_so_once() -> None:
    made = searcher()
    for name in "abcd":
        made.suggest(name)
    for name in "ab":
        report(made, name, 1, 0.5, passes=False)
    with pytest.warns(UserWarning, match="3 trials have ended and none is known to be full"):
        report(made, "c", 1, 0.5, passes=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report(made, "d", 1, 0.5, passes=False)


def test_repeats_cost_nothing_and_the_end_is_said() -> None:
    made = searcher()
    names = [str(number) for number in range(8)]
    for name in names:
        assert isinstance(made.suggest(name), dict)
    report(made, "0", 1, 0.5, passes=True)
    report(made, "0", 1, 0.5, passes=False)
    assert made.suggest("more") is None, "numbers 8 and 9 repeat 0 and 1, and the space is used up"
    assert heard(made) == [(0, 0.5), (8, 0.5)]
    report(made, "1", 1, 0.7, passes=True)
    report(made, "1", 1, 0.7, passes=False)
    assert heard(made)[2:] == [(1, 0.7), (9, 0.7)], "a twin ends with the one it repeats"
    for name in names[2:]:
        made.on_trial_complete(name, error=True)
    assert made.suggest("more") == made.FINISHED


def test_state_travels_with_the_experiment(tmp_path: Path) -> None:
    def told(made: Any) -> Any:
        for name in "abc":
            made.suggest(name)
        report(made, "a", 1, 0.5, passes=True)
        report(made, "a", 1, 0.5, passes=False)
        return made

    def options(name: str) -> dict[str, Any]:
        return {"metric": "score", "mode": "max", "space": "nasbench201", "strategy": name}

    for name in ("policy-gradient", "critic", "optuna:tpe", "local-search"):
        whole = told(nas.ray_searcher(**options(name)))
        whole.save(str(tmp_path / "state"))
        restored = nas.ray_searcher(**options(name))
        restored.restore(str(tmp_path / "state"))
        pickled = pickle.loads(pickle.dumps(whole))
        nexts = [one.suggest("d") for one in (whole, restored, pickled)]
        assert nexts[0] == nexts[1] == nexts[2]
        report(restored, "b", 1, 0.7, passes=True)  # what was open is known by its name
        report(restored, "b", 1, 0.7, passes=False)
        assert restored._suggestions.full == 2
    (tmp_path / "state").write_text("{}")
    with pytest.raises(StoreError, match="no state of a nas searcher"):
        nas.ray_searcher("evolution", space="ladder", metric="s").restore(str(tmp_path / "state"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"strategy": "evolutoin"}, "no strategy is called 'evolutoin'"),
        ({"strategy": {"population": 5}}, "names no part"),
        ({"strategy": {"name": "evolution", "size": 5}}, "size"),
        ({"space": "nasnett"}, "no space is called 'nasnett'"),
        ({"space": {"name": "table", "decisions": {"seed": [1, 2]}}}, "is called 'seed'"),
        ({"last_step": 0}, "last_step is 0"),
        ({"stopped_as": "best"}, "stopped_as is 'best'"),
        ({"metric": "loss", "mode": "down"}, "mode is 'down'"),
    ],
)
def test_mistakes_get_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NasError, match=sentence):
        nas.ray_searcher(**{"metric": "score", **options})


# ------------------------------------------------------------------ with a real Ray

EPOCHS = 4
TUNED = f"""
import json, os, sys, time
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler
import nas

def starts():
    "How many trials have started before this one: one file each, in the experiment's folder."
    number = 0
    while True:
        try:
            os.close(os.open(home + "/start-" + str(number), os.O_CREAT | os.O_EXCL))
            return number
        except FileExistsError:
            number += 1

def train(config):
    number = starts()
    slope = 50 + number if number % 2 == 0 else 50 - number  # best so far, worst so far, by turns
    for epoch in range({EPOCHS}):
        time.sleep(float(os.environ.get("NAS_TEST_SLEEP", 0)))
        tune.report({{"score": slope * (epoch + 1) / 10.0}})

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
home, fewer = sys.argv[1], int(sys.argv[2])
settings = dict(space="nasbench201", metric="score", last_step={EPOCHS})
searcher = nas.ray_searcher("policy-gradient", **settings)
"""
TUNER = """
tuner = tune.Tuner(
    train,
    tune_config=tune.TuneConfig(
        metric="score", mode="max", search_alg=searcher, num_samples=fewer,
        scheduler=ASHAScheduler(max_t=4, grace_period=1, reduction_factor=2),
        max_concurrent_trials=2,
    ),
    run_config=tune.RunConfig(name="tuned", storage_path=home, verbose=0),
)
results = tuner.fit()
"""


def ran(script: str, *words: str | Path, home: Path) -> str:
    """What a script of a user prints."""
    answer = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        cwd=home,
        env={**os.environ, "HOME": str(home), "PYTHONPATH": str(CLUSTER.parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def ends(home: Path) -> int:
    """How many ends the newest state of the searcher holds."""
    saved = sorted((home / "tuned").glob("searcher-state-*.pkl"))
    try:
        events = json.loads(saved[-1].read_text())["events"] if saved else []
    except (OSError, ValueError):  # it is being replaced
        return 0
    return sum(event["event"] in ("told", "stopped", "failed") for event in events)


needs_loopback = pytest.mark.skipif(why_not_here() is not None, reason=why_not_here() or "")


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is there of an experiment under ASHA that was killed and restored."""
    home = tmp_path_factory.mktemp("home")
    slowly = {**os.environ, "NAS_TEST_SLEEP": "0.2", "TUNE_GLOBAL_CHECKPOINT_S": "1"}
    words = [sys.executable, "-c", TUNED + TUNER, str(home), "12"]
    driver = subprocess.Popen(words, env=slowly, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while ends(home) < 2:
        assert time.monotonic() < deadline
        assert driver.poll() is None, "it ended before it could be killed"
        time.sleep(0.1)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()

    script = (
        TUNED
        + """
tuner = tune.Tuner.restore(home + "/tuned", trainable=train)
results = tuner.fit()
from pathlib import Path
saved = sorted(Path(home, "tuned").glob("searcher-state-*.pkl"))[-1]
events = json.loads(saved.read_text())["events"]
rows = [(r.metrics["training_iteration"], r.metrics["score"]) for r in results]
print(json.dumps({"rows": rows, "errors": len(results.errors), "events": events}))
"""
    )
    found: dict[str, Any] = json.loads(ran(script, home, 12, home=home).splitlines()[-1])
    return found


@pytest.mark.ray
@needs_loopback
def test_with_asha_only_full_trials_are_told_their_score(restored: dict[str, Any]) -> None:
    full = sorted(score for step, score in restored["rows"] if step == EPOCHS)
    stopped = [step for step, _ in restored["rows"] if step < EPOCHS]
    assert restored["errors"] == 0
    assert full
    assert stopped, "the scheduler has stopped some"
    events = restored["events"]
    told = sorted(event["score"] for event in events if event["event"] == "told")
    assert told == pytest.approx(full)
    assert [event["event"] for event in events].count("stopped") == len(stopped)


@pytest.mark.ray
@needs_loopback
def test_an_experiment_that_was_killed_is_restored(restored: dict[str, Any]) -> None:
    events = restored["events"]
    asked = [event["number"] for event in events if event["event"] == "asked"]
    ended = [e["name"] for e in events if e["event"] in ("told", "stopped", "failed")]
    assert asked == sorted(set(asked)), "numbers rise, and none is given out twice"
    assert len(asked) == 12
    assert len(ended) == len(set(ended)) == 12, "every trial ended once"


def shown() -> list[str]:
    """The blocks of the page that say they are run here."""
    marked = re.compile(
        r"\*Run by tests/runners/test_ray_searcher.py: [^\n]*\*\n\n```python\n(.*?)```", re.DOTALL
    )
    return marked.findall(CLUSTER.read_text())


@pytest.mark.ray
@needs_loopback
def test_the_page_runs_a_tuner(tmp_path: Path) -> None:
    printed = ran(shown()[0], home=tmp_path)
    assert json.loads(printed.splitlines()[-1])["space"] == "nasbench201"


@pytest.mark.ray
@needs_loopback
def test_the_page_searches_inside_a_job_of_ones_own(tmp_path: Path) -> None:
    """In the driver that has begun Ray, on its cluster; and in a remote task."""
    printed = ran(shown()[1] + "assert ray.is_initialized()\n", home=tmp_path)
    for name in ("on-my-cluster", "in-a-task"):
        told = [e for e in lines(tmp_path / "results" / name) if e["event"] == "told"]
        assert sum("reused" not in event for event in told) == 10
    assert float(printed.split()[-1]) == max(event["score"] for event in told)
