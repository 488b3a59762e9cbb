"""What every runner calls in the process that evaluates: it settles what hangs on the machine, then
attempts one trial after another.

What was settled on each kind of machine that a study has run on stands in a file beside its log: on
the same kind it goes on alike. An attempt is the only place that catches broadly.
"""

from __future__ import annotations

import json
import math
import platform
import shutil
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast, get_args

from nas.contracts import (
    Evaluation,
    Evaluator,
    Failure,
    FailureKind,
    Outcome,
    Report,
    Stopped,
    Trial,
)
from nas.errors import (
    ExpressionError,
    GenotypeError,
    LatencyError,
    NasError,
    NetworkError,
    SpaceError,
    StudyError,
    shortened,
)
from nas.study.store import write_whole

MACHINES: Final = "machines.json"
_LARGEST_FILE = 1_000_000  # of that name
_LONGEST_TRACEBACK = 4_000

Settled = Mapping[str, Any]


def attempt(
    evaluator: Evaluator,
    trial: Trial,
    workdir: Path,
    report: Report,
    *,
    interruptible: bool = True,
) -> Outcome:
    """Evaluate a trial; whatever happens becomes an evaluation, an early stop or a typed failure.

    Only what the user must mend before any trial can succeed (a missing file, a wrong setting) is
    raised.

    Args:
        interruptible: whether a KeyboardInterrupt is the user's Ctrl-C; in a worker process, which
            hears none, it is the child's own and a failure.
    """
    began = time.perf_counter()
    watched = _Watched(report)
    try:
        if not evaluator.cheap:
            workdir.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(workdir / "keep", ignore_errors=True)  # of an attempt that died
        judge = evaluator if trial.fidelity == 1 else evaluator.at(trial.fidelity)
        evaluation = judge.evaluate(
            trial.genotype, seed=trial.seed, workdir=workdir, report=watched
        )
        outcome = _checked(evaluation, watched)
        if trial.fidelity < 1 and isinstance(outcome, Evaluation):
            return Stopped(judge.last_step or 0, outcome.score, outcome.metrics, outcome.seconds)
        return outcome
    except (NetworkError, GenotypeError, SpaceError, ExpressionError) as problem:
        return Failure("error", str(problem), time.perf_counter() - began)
    except LatencyError as problem:
        return Failure(_kind(problem), str(problem), time.perf_counter() - began)
    except NasError:
        raise
    except (Exception, SystemExit) as problem:
        return Failure(_kind(problem), _message(problem), time.perf_counter() - began)
    except KeyboardInterrupt as problem:
        if interruptible:
            raise
        return Failure("error", _message(problem), time.perf_counter() - began)


def never_stop(step: int, metrics: Mapping[str, Any]) -> bool:
    """The report of a trial nobody watches."""
    del step, metrics
    return True


def plain(value: Any) -> Any:
    """The value as JSON knows it: NumPy and torch scalars become numbers, what is not finite
    becomes None."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return plain(value.item()) if callable(getattr(value, "item", None)) else str(value)


@dataclass(slots=True)
class _Watched:
    """A report that remembers the step at which it said stop."""

    report: Report
    stopped: tuple[int, Mapping[str, Any]] | None = None

    def __call__(self, step: int, metrics: Mapping[str, Any]) -> bool:
        metrics = plain(metrics)
        go_on = self.report(step, metrics)
        if not go_on and self.stopped is None:
            self.stopped = (step, metrics)
        return go_on


def _checked(evaluation: Evaluation, watched: _Watched) -> Outcome:
    score, seconds = float(evaluation.score), float(evaluation.seconds)
    if not math.isfinite(score):
        return Failure(
            "diverged",
            f"the score is {score}",
            max(seconds, 0.0) if math.isfinite(seconds) else 0.0,
        )
    if not (math.isfinite(seconds) and seconds >= 0):
        return Failure(
            "error", f"the evaluator says it took {shortened(evaluation.seconds)} seconds"
        )
    metrics = plain(evaluation.metrics)
    if watched.stopped is not None:
        step, last = watched.stopped
        reached = last.get("score", score)
        if reached is None:
            return Failure("diverged", f"the score at step {step} is no finite number", seconds)
        return Stopped(step, float(reached), metrics, seconds)
    return Evaluation(score, metrics, seconds)


def _kind(problem: BaseException) -> FailureKind:
    stated = getattr(problem, "failure_kind", None)
    if stated in get_args(FailureKind):
        return cast(FailureKind, stated)
    text = str(problem).lower()
    told_so = isinstance(problem, RuntimeError) and (
        "out of memory" in text or "not enough memory" in text
    )
    if isinstance(problem, MemoryError) or type(problem).__name__ == "OutOfMemoryError" or told_so:
        return "out_of_memory"
    return "error"


def _message(problem: BaseException) -> str:
    """One line that says what went wrong; below it the end of the traceback."""
    lines = "".join(traceback.format_exception(problem))
    return (
        f"{type(problem).__name__}: {problem}".splitlines()[0] + "\n" + lines[-_LONGEST_TRACEBACK:]
    )


# ------------------------------------------------------------------ the machine


def settled_before(folder: Path) -> list[Settled]:
    """What was settled on machines of this study until now."""
    path = folder / MACHINES
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError("it is too large")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError, RecursionError) as problem:
        raise StudyError(_unreadable(path)) from problem
    if not (isinstance(found, list) and all(isinstance(one, dict) for one in found)):
        raise StudyError(_unreadable(path))
    return found


def settle_here(evaluator: Evaluator, folder: Path) -> Settled:
    """Let an evaluator settle in this process what hangs on the machine, and keep it."""
    settled: Settled = plain(evaluator.settle(settled_before(folder)))
    keep_settled(folder, [settled])
    return settled


def keep_settled(folder: Path, settled: Iterable[Settled]) -> None:
    """Write down what was settled on kinds of machines that the study has not seen before."""
    before = settled_before(folder)
    new = [one for one in settled if one]
    after = [*before, *(one for place, one in enumerate(new) if one not in [*before, *new[:place]])]
    if after != before:
        write_whole(folder / MACHINES, json.dumps(after, indent=2) + "\n")


def hardware_of(device: str) -> str:
    """What kind of machine a device of torch is: the model of the GPU, or of the processor."""
    if not device.startswith("cuda"):
        return processor_name()
    import torch

    return torch.cuda.get_device_name(device)


def processor_name() -> str:
    """The processor as its maker names the model, where the system says so."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _unreadable(path: Path) -> str:
    return (
        f"{path} cannot be read as a list of machines: restore it from a copy, or remove it, and "
        "what it held is settled anew"
    )
