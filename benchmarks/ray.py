"""The Ray runner beside a bare Tune run: overhead, many trials, scaling, memory.

Ray listens on every interface, so this starts itself again in a network namespace of its own.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from nas.contracts import Evaluation, Evaluator, Report
from nas.registry import load
from nas.study import Budget, Rules
from nas.study.study import Study
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

SHORT, CHILD_SECONDS, AT_ONCE, ROUNDS = 500, 0.02, 2, 3
MANY = 5_000
WIDE, WIDE_SECONDS, WIDE_WAVES = 64, 30.0, 3
HUNGRY, HUNGRY_MEGABYTES = 100, 300
UNEVEN, UNEVEN_SECONDS, LAG = 60, 0.5, 8
PLACES, PLACES_TRIALS, PLACES_SECONDS = 4, 100, 0.5
INSIDE = "NAS_BENCH_RAY_INSIDE"


class Sleeper(Evaluator):
    """A child that needs no processor; it may need memory, or as much time as its seed says."""

    def __init__(
        self, space: SearchSpace, *, seconds: float, megabytes: int = 0, uneven: bool = False
    ) -> None:
        super().__init__(space)
        self.seconds, self.megabytes, self.uneven = seconds, megabytes, uneven

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """Sleep; say which process this was and how large it had been before."""
        del genotype, workdir, report
        began = time.time()
        facts = {"pid": os.getpid(), "resident_mb": resident_megabytes(), "began": began}
        ballast = bytearray(self.megabytes << 20)
        ballast[::4096] = b"x" * len(ballast[::4096])
        seconds = self.seconds * (0.2 + 1.6 * (seed % 1000) / 1000) if self.uneven else self.seconds
        time.sleep(seconds)
        return Evaluation(float(seed % 1000), {} if self.uneven else facts, seconds)


def main() -> None:
    """Every figure once."""
    if INSIDE not in os.environ:
        sys.exit(
            subprocess.run(
                [*namespace(), sys.executable, "-m", "benchmarks.ray"], env=inside()
            ).returncode
        )
    names = {
        "overhead": overhead,
        "short": short,
        "deterministic": deterministic,
        "hungry": hungry,
        "many": many,
        "scaling": scaling,
    }
    for name in os.environ[INSIDE].split(",") if os.environ[INSIDE] else names:
        names[name]()


def inside() -> dict[str, str]:
    """The environment of the second start; which benchmarks travels in it."""
    token = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "a-token-for-benchmarks",
    }  # read when Ray is imported
    even = {
        "RAY_worker_niceness": "0"
    }  # workers are no less important than what else the machine does
    return {**os.environ, **token, **even, INSIDE: ",".join(sys.argv[1:])}


def namespace() -> list[str]:
    """How a command gets a network of its own; nothing where the machine does not allow it."""
    for begin in (["unshare", "-mnpf", "--mount-proc"], ["unshare", "-rmnpf", "--mount-proc"]):
        if (
            shutil.which("unshare")
            and subprocess.run([*begin, "true"], capture_output=True).returncode == 0
        ):
            return [
                *begin,
                "sh",
                "-c",
                'mount -t tmpfs tmpfs /tmp; ip link set lo up; exec "$@"',
                "_",
            ]
    return []


def overhead() -> None:
    """Beside a bare Tune run with a searcher that does nothing, in turns."""
    with started(AT_ONCE):
        ours, bare = [], []
        for _ in range(ROUNDS):
            bare.append(measured(lambda: bare_tune(SHORT)))
            ours.append(measured(lambda: our_tune(SHORT)[0]))
    walls, processor = zip(*ours, strict=True)
    bare_walls, bare_processor = zip(*bare, strict=True)
    show(
        f"ms a trial beyond its sleep, {SHORT} x 20 ms, 2 at once",
        median(walls),
        "ms",
        median(bare_walls),
    )
    show("ms of the driver's processor a trial", median(processor), "ms", median(bare_processor))


def short() -> None:
    """Do all places work all the time, whether results are told as they arrive or in order?"""
    ideal = PLACES_TRIALS * PLACES_SECONDS / PLACES
    with started(PLACES):
        for lag in (None, LAG):
            _, told = our_tune(PLACES_TRIALS, seconds=PLACES_SECONDS, lag=lag)
            name = f"{PLACES_TRIALS} trials of {PLACES_SECONDS:g} s on {PLACES} places"
            order = "as they arrive" if lag is None else f"deterministic, lag {lag}"
            show(f"seconds of {name} once all are up, {order}", once_up(told), "s", ideal)
            numbers = [
                event["number"] for event in sorted(told, key=lambda each: each["metrics"]["began"])
            ]
            show(f"starts out of order, {order}", float(out_of_order(numbers)), "of them")


def once_up(told: list[dict[str, Any]]) -> float:
    """Seconds of all trials, from those between the first result of the last worker and the last
    of all."""
    first = {event["metrics"]["pid"]: event["time"] for event in reversed(told)}
    assert len(first) == PLACES, f"{len(first)} workers took part"
    up = max(first.values())
    after = [event["time"] for event in told if event["time"] > up]
    return (after[-1] - up) * len(told) / len(after)


def out_of_order(numbers: list[int]) -> int:
    return sum(later < earlier for earlier, later in pairwise(numbers))


def measured(run: Callable[[], float]) -> tuple[float, float]:
    """Milliseconds a trial: beyond what two sleepers take, and of the driver's processor, which no
    neighbour slows."""
    before = time.process_time()
    seconds = run()
    processor = time.process_time() - before
    return 1_000 * (seconds - SHORT * CHILD_SECONDS / AT_ONCE) / SHORT, 1_000 * processor / SHORT


def many() -> None:
    """Thousands of trials: does it get slower, and what does the driver keep of each?"""
    with started(AT_ONCE):
        our_tune(50)
        gc.collect()
        before = resident_megabytes()
        seconds, _ = our_tune(MANY)
        kilobytes = 1_024 * (resident_megabytes() - before) / MANY
        bare = bare_tune(MANY)
    show(
        f"ms a trial, {MANY} x 20 ms, 2 at once", 1_000 * seconds / MANY, "ms", 1_000 * bare / MANY
    )
    show(f"driver memory a trial, after {MANY}", kilobytes, "KB")


def scaling() -> None:
    """The gap between two children on the same worker."""
    with started(WIDE):
        _, told = our_tune(WIDE * WIDE_WAVES, seconds=WIDE_SECONDS)
    by_worker: dict[int, list[float]] = defaultdict(list)
    for event in told:
        by_worker[event["metrics"]["pid"]].append(event["time"])
    gaps = [later - earlier for times in by_worker.values() for earlier, later in pairwise(times)]
    share = 100 * WIDE_SECONDS * len(gaps) / sum(gaps)
    show(f"efficiency of {len(by_worker)} children of {WIDE_SECONDS:g} s at once", share, "%")


def hungry() -> None:
    """How large a worker is between children that need much memory."""
    with started(AT_ONCE):
        _, told = our_tune(HUNGRY, seconds=0.05, megabytes=HUNGRY_MEGABYTES)
    sizes = [event["metrics"]["resident_mb"] for event in told]
    early, late = median(sizes[10:20]), median(sizes[-10:])
    show(
        f"worker after {HUNGRY} children of {HUNGRY_MEGABYTES} MB, before its next",
        late,
        "MB",
        early,
    )


def deterministic() -> None:
    """The same log with 1, 2 and 4 workers, and what its order costs beside results told as they
    arrive."""
    with started(4):
        logs = []
        for workers in (1, 2, 4):
            study, seconds, log = uneven_study(workers, lag=LAG)
            _, free_seconds, _ = uneven_study(workers, lag=None)
            logs.append(log)
            name = f"{workers} workers, {UNEVEN} uneven children of {UNEVEN_SECONDS:g} s, lag {LAG}"
            show(f"seconds of {name}", seconds, "s", free_seconds)
            show(f"idle share of {name}", 100 * study.idle_seconds / (workers * seconds), "%")
    show("logs that are equal, but for clocks", float(sum(log == logs[0] for log in logs)), "of 3")


def uneven_study(workers: int, lag: int | None) -> tuple[Study, float, list[dict[str, Any]]]:
    """One study of children that take from a fifth of the time to nearly twice of it; seconds, and
    its log."""
    space = load("space", "nasbench201")()
    strategy = load("strategy", "evolution")(space, 0, population=10, sample=3)
    with tempfile.TemporaryDirectory() as folder:
        rules = Rules(duplicates="retrain", lag=lag)
        with Study(Path(folder), strategy, rules=rules, budget=Budget(trials=UNEVEN)) as study:
            runner = load("runner", "ray-tune")(concurrency=workers)
            began = time.monotonic()
            runner.run(study, Sleeper(space, seconds=UNEVEN_SECONDS, uneven=True))
            seconds = time.monotonic() - began
        lines = (Path(folder) / "events.jsonl").read_text().splitlines()
    clocks = {"time", "strategy_seconds", "check"}
    log = [
        {name: value for name, value in json.loads(line).items() if name not in clocks}
        for line in lines
    ]
    return study, seconds, log


@contextmanager
def started(cpus: int) -> Iterator[None]:
    """A Ray of so many (logical) processors, quiet."""
    import ray

    ray.init(
        "local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
    )
    try:
        yield
    finally:
        ray.shutdown()


def our_tune(
    trials: int,
    *,
    seconds: float = CHILD_SECONDS,
    megabytes: int = 0,
    lag: int | None = None,
) -> tuple[float, list[dict[str, Any]]]:
    """Seconds from the first result to the last, and the results."""
    space = load("space", "nasbench201")()
    strategy = load("strategy", "random-search")(space, 0)
    told: list[dict[str, Any]] = []

    def watch(event: Any) -> None:
        if event["event"] == "told":
            told.append({**event, "time": time.monotonic()})

    with tempfile.TemporaryDirectory() as folder:
        rules = Rules(duplicates="retrain", lag=lag)
        with Study(
            Path(folder), strategy, rules=rules, budget=Budget(trials=trials), watch=watch
        ) as study:
            load("runner", "ray-tune")().run(
                study, Sleeper(space, seconds=seconds, megabytes=megabytes)
            )
    assert len(told) == trials
    return stretched(told[0]["time"], told[-1]["time"], trials), told


def bare_tune(trials: int) -> float:
    """The same by Tune alone: equal trainable, equal settings, a searcher that only counts."""
    from ray import tune
    from ray.tune.search import Searcher

    from runners.on_ray.cluster import tune_settings

    times: list[float] = []

    class Sleep(tune.Trainable):
        def reset_config(self, new_config: Any) -> bool:
            del new_config
            return True

        def step(self) -> dict[str, Any]:
            time.sleep(CHILD_SECONDS)
            return {"done": True}

    class Counting(Searcher):
        def __init__(self) -> None:
            super().__init__(metric=None, mode=None)
            self.asked = 0

        def suggest(self, trial_id: str) -> Any:
            del trial_id
            if self.asked == trials:
                return Searcher.FINISHED
            if self.asked - len(times) >= AT_ONCE:
                return None
            self.asked += 1
            return {"number": self.asked}

        def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
            del trial_id, result, error
            times.append(time.monotonic())

    with tempfile.TemporaryDirectory() as folder, tune_settings():
        tune.run(
            tune.with_resources(Sleep, {"cpu": 1}),
            search_alg=Counting(),
            num_samples=-1,
            reuse_actors=True,
            verbose=0,
            storage_path=folder,
            name="bare",
            trial_dirname_creator=lambda trial: trial.trial_id,
        )
    return stretched(times[0], times[-1], trials)


def stretched(first: float, last: float, trials: int) -> float:
    """Seconds of all trials, from those between the first result and the last."""
    return (last - first) * trials / (trials - 1)


def resident_megabytes() -> float:
    """Of this process."""
    return (
        int(Path("/proc/self/statm").read_text().split()[1])
        * os.sysconf("SC_PAGE_SIZE")
        / (1 << 20)
    )


def show(name: str, value: float, unit: str, reference: float | None = None) -> None:
    """One line of the table."""
    ratio = None if reference is None else value / reference
    print(
        json.dumps(
            {"name": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio}
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
