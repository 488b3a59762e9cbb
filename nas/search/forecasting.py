"""What a search will cost: from a handful of genotypes that are tried, or from its first trials
where these cost nothing."""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nas.contracts import Evaluator, Foreseen, Trial
from nas.errors import StudyError, shortened
from nas.search.forecasts import PREPARING, Forecast, Span
from nas.search.plan import Plan
from nas.search.probing import Foresight, Probed, Probing, tried
from nas.search.run import Prepared, open_search, parts_of, run
from nas.seeding import numpy_rng
from nas.study import Budget
from nas.study.attempt import attempt, never_stop
from search_spaces.cells.carrying import carries_input
from search_spaces.cells.genotype import Genotype

_MOST_DRAWS, _DRAWING_SECONDS = 40, 6.0
_SHORT_DRAWS, _SHORT_TRIED = 8, 2
_TRIALS_IF_CHEAP = 200

# Standard deviations of logarithms; `python -m benchmarks.forecasts` asks how often ranges hold.
_MACHINE = 0.3  # the same machine, another minute
_START = 0.4  # of what comes before the first trial
_SECONDS_TO_START = 4.0  # of worker processes, where they were not started to try
_ALONE = 0.15  # tried by one process, where several will run
_DRIFT = 0.5  # of the spread of a space: how far a strategy that learns may go from its middle
_IF_CHEAP, _MEMORY, _DISK = 0.3, 0.08, 0.3

_CONTEXT_MIB = 600.0  # what a process holds on a GPU besides its tensors
_LOG_MIB, _STEP_MIB = 0.0012, 0.0003  # a trial's lines, and those of an epoch
_TURN = 0.05  # seconds between two trials of a place


def forecast_of(plan: Plan, budget: Budget, samples: int) -> Forecast:
    """Try genotypes where the search would run; an error where none of them could be tried.

    A search that trains nothing is tried itself, for some trials.
    """
    ready = parts_of(plan, budget, None)
    if _prepares(ready.evaluator) and not _foresees_preparing(ready.evaluator):
        raise StudyError(
            f"evaluator {plan.evaluator.name!r} makes what all its trials share before the first, "
            "and has no foresee_preparation: begin the search with --trials 1 to see what that "
            "costs"
        )
    if ready.evaluator.cheap and not _foresees(ready.evaluator):
        return _of_cheap(plan, budget)
    preparing = ready.evaluator.foresee_preparation(plan.seed)
    ready.evaluator.measured()  # as a search does before its clock runs
    _drawn(ready, 1)  # the first loads what draws, which is no part of drawing
    began = time.monotonic()
    drawn = _drawn(ready, _MOST_DRAWS)
    drawing = (time.monotonic() - began) * min(1.0, _SHORT_DRAWS / len(drawn.genotypes))
    trying = tried(ready.evaluator, plan.make_runner(), drawn.picked(samples))
    if plan.runner.name == "local":  # the search makes a short forecast itself
        trying = replace(trying, starting=trying.starting + drawing + _short_seconds(trying))
    found = _forecast(plan, budget, drawn, trying, ready.evaluator.last_step, 0.0)
    if found is None:
        raise StudyError(_all_failed(trying))
    return found if preparing is None else _with_preparing(found, preparing)


def _foresees(evaluator: Evaluator) -> bool:
    return type(evaluator).foresee is not Evaluator.foresee


def _prepares(evaluator: Evaluator) -> bool:
    return type(evaluator).prepare is not Evaluator.prepare


def _foresees_preparing(evaluator: Evaluator) -> bool:
    return type(evaluator).foresee_preparation is not Evaluator.foresee_preparation


def _with_preparing(found: Forecast, preparing: Foreseen) -> Forecast:
    """With what all trials share, which is made before the clock of the search runs."""
    weights = Span.around(preparing.kept_mib, _DISK)
    return replace(
        found,
        preparing_seconds=Span.around(preparing.seconds, PREPARING),
        disk_mib=found.disk_mib.plus(weights),
    )


def _short_seconds(trying: Probing) -> float:
    """What trying two takes: of a process, the first takes longer than any other."""
    spent = [one.seconds for one in trying.tried]
    first, others = spent[: trying.places], spent[trying.places :] or spent
    return max(first) + (_SHORT_TRIED - 1) * statistics.median(others)


def short_forecast(
    plan: Plan, budget: Budget, evaluator: Evaluator, began: float, *, exports: bool = True
) -> Forecast | None:
    """The same from two genotypes, tried in this process; None where children train elsewhere or
    only an evaluation would tell.

    Args:
        began: by the wall clock, when the search did.
        exports: whether the winner will be exported.
    """
    if not _foresees(evaluator) or plan.runner.name != "local":
        return None
    ready = parts_of(plan, budget, evaluator)
    drawn, judge = _drawn(ready, _SHORT_DRAWS), Foresight(evaluator)
    found = []
    with tempfile.TemporaryDirectory(prefix="nas-plan-") as folder:
        for number, genotype in enumerate(drawn.picked(_SHORT_TRIED)):
            outcome = attempt(judge, Trial(number, genotype, number), Path(folder), never_stop)
            found.append(Probed.of(genotype, outcome))
    if not exports:
        found = [one.not_exported() for one in found]
    places: int = plan.runner.options["workers"]
    starting = time.time() - began + (_SECONDS_TO_START if places > 1 else 0.0)
    trying = Probing(found, places, starting)
    spread = _ALONE if places > 1 else 0.0
    return _forecast(plan, budget, drawn, trying, evaluator.last_step, spread)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Random genotypes, the smaller first, and the multiply-adds of each.

    Args:
        idle: the share that carries nothing from input to output, and is not trained.
    """

    genotypes: Sequence[Genotype]
    sizes: Mapping[str, float]
    idle: float

    def picked(self, count: int) -> list[Genotype]:
        """So many, each from the middle of its stratum."""
        most = len(self.genotypes)
        places = dict.fromkeys(int((number + 0.5) * most / count) for number in range(count))
        return [self.genotypes[place] for place in places]


def _drawn(ready: Prepared, most: int) -> _Drawn:
    evaluator, space = ready.evaluator, ready.strategy.space
    trains = _foresees(evaluator) and not evaluator.stands_in  # what carries nothing costs nothing
    sizes: dict[str, float] = {}
    genotypes: list[Genotype] = []
    idle, began = 0, time.monotonic()
    for number in range(most):
        if len(genotypes) >= _SHORT_DRAWS and time.monotonic() - began > _DRAWING_SECONDS:
            break
        genotype = space.sample(numpy_rng(0, "forecast", number))
        if ready.constraint is not None and ready.constraint(genotype) is not None:
            continue
        if trains and genotype.cells and not carries_input(genotype):
            idle += 1
            continue
        if genotype.key not in sizes:
            sizes[genotype.key] = evaluator.size(genotype)
            genotypes.append(genotype)
    if not genotypes:
        raise StudyError(
            f"none of {most} random genotypes may be trained: the limits of this search leave too "
            "little of its space; raise --max-params, --max-macs or --max-latency-ms"
        )
    genotypes.sort(key=lambda genotype: sizes[genotype.key])
    return _Drawn(genotypes, sizes, idle / (idle + len(genotypes)))


def _forecast(
    plan: Plan,
    budget: Budget,
    drawn: _Drawn,
    trying: Probing,
    steps: int | None,
    spread: float,
) -> Forecast | None:
    """What was tried, carried over to the whole space and the whole budget."""
    pairs = [(one, one.foreseen) for one in trying.tried if one.foreseen is not None]
    if not pairs:
        return None
    tried_sizes = [drawn.sizes[one.genotype.key] for one, _ in pairs]
    sizes = [drawn.sizes[genotype.key] for genotype in drawn.genotypes]
    seconds, noise = _fitted(tried_sizes, [foreseen.seconds for _, foreseen in pairs])
    children = [seconds(size) for size in sizes]

    drift = _drift(plan, budget, children)
    mean = statistics.fmean(children) * (1 - drawn.idle)
    if plan.runner.name != "local" or trying.places > 1:  # each worker opens the data for itself
        opening = max(found.opening_seconds for _, found in pairs)
        mean += opening * min(1.0, trying.places / (budget.trials or 20))
    a_trial = Span.around(mean, math.hypot(_MACHINE, spread, drift, noise / math.sqrt(2)))
    spending = _Spending(plan, budget, trying, pairs[0][0].device)
    room = min((found.room_mib for _, found in pairs if found.room_mib), default=None)
    memory = _memory(tried_sizes, [found.memory_mib for _, found in pairs])
    largest = None if memory is None else Span.around(memory(sizes[-1]), _MEMORY)
    kept, _ = _fitted(tried_sizes, [found.kept_mib for _, found in pairs])
    exported, _ = _fitted(tried_sizes, [found.exported_mib for _, found in pairs])
    trials = spending.trials(a_trial.likely)
    lines = trials * (_LOG_MIB + _STEP_MIB * (steps or 0))
    return Forecast(
        tried=len(trying.tried),
        failures=dict(Counter(one.failure.kind for one in trying.tried if one.failure)),
        hardware=list(dict.fromkeys(one.hardware for one, _ in pairs if one.hardware)),
        device=spending.device,
        places=trying.places,
        trials=a_trial.each(spending.trials),
        seconds_a_trial=a_trial,
        wall_seconds=a_trial.each(spending.wall_seconds).plus(Span.around(trying.starting, _START)),
        device_hours=a_trial.each(spending.device_hours),
        memory_mib=largest,
        at_once=None if largest is None or room is None else spending.fit(largest.high, room),
        too_large=None
        if memory is None or room is None
        else statistics.fmean(
            spending.fit(memory(size), room) < spending.together for size in sizes
        ),
        disk_mib=_disk(
            lines,
            [exported(size) + min(plan.rules.keep, trials) * kept(size) for size in sizes],
        ),
    )


def _disk(lines: float, best: Sequence[float]) -> Span:
    """Log, files of the best, and the winner, which may be as large as any of the space."""
    mean = statistics.fmean(best)
    relative = statistics.pstdev(best) / max(mean, 1e-9)
    return Span.around(lines + mean, math.hypot(_DISK, relative))


def _drift(plan: Plan, budget: Budget, children: Sequence[float]) -> float:
    """How far the mean of the children of a search may lie from that of the space."""
    relative = statistics.pstdev(children) / max(statistics.fmean(children), 1e-9)
    if plan.strategy.name != "random-search":
        return _DRIFT * relative
    return relative / math.sqrt(budget.trials or len(children))


@dataclass(frozen=True, slots=True)
class _Spending:
    """How trials of some length use up a budget."""

    plan: Plan
    budget: Budget
    trying: Probing
    device: str

    def trials(self, seconds: float) -> float:
        """How many of them the budget buys."""
        budget, places = self.budget, self.trying.places
        limits = (
            budget.trials,
            None if budget.seconds is None else budget.seconds / max(seconds, 1e-9),
            None if budget.hours is None else 3600 * budget.hours * places / max(seconds, 1e-9),
        )
        return max(1.0, min(float(limit) for limit in limits if limit is not None))

    def wall_seconds(self, seconds: float) -> float:
        """From the first trial to the last; in the end some places wait for the others."""
        places = self.trying.places
        rounds = max(self.trials(seconds) / places, 1.0) + 0.5 * (1 - 1 / places)
        return rounds * (seconds + _TURN)

    def device_hours(self, seconds: float) -> float:
        """Hours of GPUs, or of processor cores."""
        options = self.plan.runner.options
        if self.device == "cpu":
            share = options.get("cpus_per_trial") or self.plan.evaluator.options.get("threads", 1)
        else:
            share = options.get("gpus_per_trial") or 1
        return self.trials(seconds) * seconds * float(share) / 3600

    @property
    def together(self) -> int:
        """Children that share the memory of one GPU, or of a machine."""
        options = self.plan.runner.options
        if self.device != "cpu":
            return max(1, math.floor(1 / (options.get("gpus_per_trial") or 1) + 1e-9))
        return int(options.get("workers", 1))

    def fit(self, memory: float, room: float) -> int:
        """How many children of this size its memory holds."""
        each = memory + (0.0 if self.device == "cpu" else _CONTEXT_MIB)
        return math.floor(room / each * (1 + 1e-9))  # a line through measurements is not exact


def _fitted(
    sizes: Sequence[float], values: Sequence[float]
) -> tuple[Callable[[float], float], float]:
    """A line through what was measured, by least squares of relative errors, that neither falls
    nor begins below nothing; and the spread of logarithms around it."""
    x, y = np.array(sizes), np.maximum(np.array(values), 1e-9)
    rows = np.stack([1 / y, x / y], axis=1)
    base, slope = np.linalg.lstsq(rows, np.ones(len(y)), rcond=None)[0].tolist()
    if len(set(sizes)) < 2 or slope < 0:
        base, slope = float(np.exp(np.log(y).mean())), 0.0
    elif base < 0:
        base, slope = 0.0, float(np.exp(np.log(y / x).mean()))

    def line(size: float) -> float:
        return float(base + slope * size)

    errors = np.log(y / np.array([line(size) for size in sizes]))
    return line, math.sqrt(float((errors**2).sum()) / max(len(y) - 2, 1))


def _memory(
    sizes: Sequence[float], measured: Sequence[float | None]
) -> Callable[[float], float] | None:
    known = [(size, mib) for size, mib in zip(sizes, measured, strict=True) if mib is not None]
    if not known:
        return None
    return _fitted([size for size, _ in known], [mib for _, mib in known])[0]


def _all_failed(trying: Probing) -> str:
    failure = next(one.failure for one in trying.tried if one.failure is not None)
    kind = failure.kind.replace("_", " ")
    return (
        f"none of {len(trying.tried)} genotypes could be trained ({kind}: "
        f"{shortened(failure.message.partition(chr(10))[0])}): mend that, or choose smaller "
        "networks with --preset or skeleton.filters"
    )


def _of_cheap(plan: Plan, budget: Budget) -> Forecast:
    """Search for some trials, in a folder that is thrown away."""
    heard: list[tuple[float, Mapping[str, Any]]] = []

    def watch(event: Mapping[str, Any]) -> None:
        heard.append((time.monotonic(), event))

    few = min(budget.trials or _TRIALS_IF_CHEAP, _TRIALS_IF_CHEAP)
    with tempfile.TemporaryDirectory(prefix="nas-plan-") as folder:
        began = time.monotonic()
        with open_search(plan, Path(folder) / "study", Budget(trials=few), watch) as search:
            run(search)
            log = search.study.store.path.stat().st_size / 2**20
    times, seconds = _paid(heard)
    if not seconds:
        raise StudyError(f"none of {few} trials could be evaluated: begin the search to see why")

    mean = statistics.fmean(seconds)
    noise = statistics.pstdev(seconds) / math.sqrt(len(seconds)) / max(mean, 1e-9)
    a_trial = Span.around(mean, math.hypot(noise, _drift(plan, budget, seconds)))
    trials = a_trial.each(lambda one: _Spending(plan, budget, _NOWHERE, "cpu").trials(one))
    wall = Span.around(_wall_of_cheap([began, *times], trials.likely), _IF_CHEAP)
    return Forecast(
        tried=len(seconds),
        failures={},
        hardware=[],
        device="cpu",
        places=int(plan.runner.options.get("workers", 1)),
        trials=trials,
        seconds_a_trial=a_trial,
        wall_seconds=wall,
        device_hours=wall.each(lambda one: one / 3600),
        memory_mib=None,
        at_once=None,
        too_large=None,
        disk_mib=Span.around(log * trials.likely / len(seconds), _DISK),
    )


def _paid(
    heard: Sequence[tuple[float, Mapping[str, Any]]],
) -> tuple[list[float], list[float]]:
    """When the trials that a budget pays were told, and what they cost. Repeats are free, but take
    their time between them, the more the longer a search knows its space."""
    told = [
        (when, float(event["seconds"]))
        for when, event in heard
        if event["event"] == "told" and "reused" not in event
    ]
    return [when for when, _ in told], [seconds for _, seconds in told]


_NOWHERE = Probing([], 1, 0.0)


def _wall_of_cheap(times: Sequence[float], trials: float) -> float:
    """Seconds of so many trials, where each may take longer the more there were: a strategy that
    looks at its whole past does."""
    half = len(times) // 2
    early = (times[half] - times[0]) / half
    late = (times[-1] - times[half]) / (len(times) - 1 - half)
    growth = max(0.0, late - 1.3 * early) / half  # of a trial's seconds, with each trial
    return trials * early + growth * trials**2 / 2
