"""What every runner promises: each trial runs, ends once, and is written down as it happened."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nas.contracts import Evaluation, Evaluator, Report, Runner
from nas.errors import SettingsError
from nas.registry import load
from nas.seeding import derive
from nas.study import Budget, Rules
from nas.study.study import Study
from nas.testing.promises import Promise, keep_all, maker_of
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

Make = Callable[[], Runner]
_SEED = 5


def check_runner(part: Any, **options: Any) -> None:
    """Try every promise of a runner.

    Args:
        part: its class, or its name as on the command line.
        options: what its constructor is given.
    """
    keep_all(RUNNER_PROMISES, maker_of("runner", part, **options), with_folder=True)


class ScriptedEvaluator(Evaluator):
    """Reports two steps, keeps a file, and does something drastic at the seeds it is told to.

    Args:
        acts: what to do (raise, refuse, leave, interrupt, die, exit, hang or stop), by the
            remainder of the seed divided by 3.
        seconds: how long a trial takes.
    """

    def __init__(
        self, space: SearchSpace, acts: Mapping[int, str] | None = None, seconds: float = 0.0
    ) -> None:
        super().__init__(space)
        self.acts, self.seconds = dict(acts or {}), seconds

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """Judge by the seed alone."""
        del genotype
        for step in (1, 2):
            time.sleep(self.seconds / 2)
            if not report(step, {"score": step / 2}):
                return Evaluation(step / 2)
        self._act(self.acts.get(seed % 3))
        (workdir / "keep").mkdir(parents=True)
        (workdir / "keep" / "seed").write_text(str(seed))
        return Evaluation(seed % 1000 / 1000, {"process": os.getpid()}, 0.5)

    def _act(self, act: str | None) -> None:
        match act:
            case "raise":
                raise ValueError("this seed does not work")
            case "refuse":
                raise SettingsError("there is no such file: give another")
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(5)
            case "leave":
                raise SystemExit(5)
            case "interrupt":
                raise KeyboardInterrupt
            case "hang":
                time.sleep(600)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)


class SlowToStart(ScriptedEvaluator):
    """Only its first process is ready at once; each trial leaves a line in `begun` when it
    begins."""

    def __init__(self, space: SearchSpace, folder: Path) -> None:
        super().__init__(space)
        self.folder = folder

    def take_shared(self, shared: object) -> None:
        """Take two seconds in all processes but the first."""
        del shared
        try:
            (self.folder / "first").touch(exist_ok=False)
        except FileExistsError:
            time.sleep(2)

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """Leave a line, then judge."""
        with (self.folder / "begun").open("a") as file:
            file.write(f"{seed}\n")
        return super().evaluate(genotype, seed=seed, workdir=workdir, report=report)


def runs_every_trial(make: Make, folder: Path) -> None:
    """Every trial is run, and ends once, with the score of its seed."""
    with _opened(folder) as study:
        make().run(study, _judge())
        assert study.finish() == "all 6 trials are done"
        assert study.ledger.counts["evaluated"] == 6
        assert study.ledger.cost == 3.0
    told = [event for event in _events(folder) if event["event"] == "told"]
    assert sorted(event["number"] for event in told) == list(range(6))
    assert all(event["score"] == _seed(event["number"]) % 1000 / 1000 for event in told)


def writes_steps_in_order(make: Make, folder: Path) -> None:
    """The steps of a trial are written down in order, before its end."""
    with _opened(folder, trials=3) as study:
        make().run(study, _judge())
    for number in range(3):
        of_trial = [event for event in _events(folder) if event.get("number") == number]
        steps = [event["step"] for event in of_trial if event["event"] == "progressed"]
        assert steps == [1, 2], steps
        assert of_trial[-1]["event"] == "told"


def brings_kept_files_back(make: Make, folder: Path) -> None:
    """What the best trials left in `keep/` lies with the study."""
    with _opened(folder, keep=2) as study:
        make().run(study, _judge())
        best = [number for _, number in study.ledger.top]
    checkpoints = folder / "checkpoints"
    kept = {path.name: (path / "seed").read_text() for path in checkpoints.iterdir()}
    assert kept == {str(number): str(_seed(number)) for number in best}, kept


def records_failures(make: Make, folder: Path) -> None:
    """A trial that fails is tried again, then recorded with its message."""
    with _opened(folder) as study:
        make().run(study, _judge({1: "raise"}))
        assert study.ledger.counts["failed"] == len(_failing()) > 0
        assert study.ledger.counts["retried"] == study.ledger.counts["failed"]
    failures = [event for event in _events(folder) if event["event"] == "failed"]
    assert {event["number"] for event in failures} == _failing()
    for event in failures:
        assert event["kind"] == "error"
        assert event["message"].startswith("ValueError: this seed does not work\n")


def runs_open_trials_first(make: Make, folder: Path) -> None:
    """A trial that was begun and never ended runs again."""
    with _opened(folder) as study:
        assert study.ask() is not None
    with _opened(folder) as study:
        make().run(study, _judge())
    begun = Counter(e["number"] for e in _events(folder) if e["event"] == "attempted")
    assert begun == {0: 2, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1}, begun


def begins_each_trial_once(make: Make, folder: Path) -> None:
    """A trial begins once, also where a worker is slow to start."""
    with _opened(folder, trials=2) as study:
        make().run(study, SlowToStart(study.strategy.space, folder))
    begun = (folder / "begun").read_text().split()
    assert sorted(begun) == sorted(str(_seed(number)) for number in range(2)), begun


def stops_gently(make: Make, folder: Path) -> None:
    """A study that is told to stop starts nothing new, and what runs may finish."""
    opened: list[Study] = []

    def stop(event: Mapping[str, Any]) -> None:
        if event["event"] == "told":
            opened[0].stop()

    with _opened(folder, trials=50, watch=stop) as study:
        opened.append(study)
        make().run(study, _judge())
        assert study.finish() is None
        assert study.ledger.open == {}, "a trial was left open"
        assert 1 <= study.ledger.counts["evaluated"] < 50


def hands_on_what_must_be_mended(make: Make, folder: Path) -> None:
    """What the user must mend reaches the caller, and the study can go on afterwards."""
    heard = ""
    with _opened(folder) as study:
        try:
            make().run(study, _judge({1: "refuse"}))
        except SettingsError as problem:
            heard = str(problem)
    assert "there is no such file: give another" in heard, "a SettingsError got lost"
    with _opened(folder) as study:
        make().run(study, _judge())
        assert study.ledger.counts["evaluated"] == 6


def leaves_a_finished_study_alone(make: Make, folder: Path) -> None:
    """Run again, a finished study has the same log."""
    with _opened(folder, trials=2) as study:
        make().run(study, _judge())
        study.finish()
    before = (folder / "events.jsonl").read_bytes()
    with _opened(folder, trials=2) as study:
        make().run(study, _judge())
    assert (folder / "events.jsonl").read_bytes() == before


def _opened(folder: Path, trials: int = 6, watch: Any = None, **rules: Any) -> Study:
    strategy = load("strategy", "random-search")(load("space", "nasbench201")(), 0)
    budget = Budget(trials=trials)
    return Study(folder, strategy, seed=_SEED, rules=Rules(**rules), budget=budget, watch=watch)


def _judge(acts: Mapping[int, str] | None = None) -> ScriptedEvaluator:
    return ScriptedEvaluator(load("space", "nasbench201")(), acts)


def _seed(number: int) -> int:
    return derive(_SEED, "trial", number)


def _failing() -> set[int]:
    return {number for number in range(6) if _seed(number) % 3 == 1}


def _events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


RUNNER_PROMISES: tuple[Promise, ...] = (
    runs_every_trial,
    writes_steps_in_order,
    brings_kept_files_back,
    records_failures,
    runs_open_trials_first,
    begins_each_trial_once,
    stops_gently,
    hands_on_what_must_be_mended,
    leaves_a_finished_study_alone,
)
