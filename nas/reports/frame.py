"""What a study amounts to: a frame with a row for every trial told, and what it came to, read from
its log, never from anywhere else."""

from __future__ import annotations

from array import array
from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from nas.search.forecasts import compared, sentence_of
from nas.search.plan import Plan, read_study_json
from nas.search.reading import ToldTrial, Updated, course_of
from nas.study.front import Scale, hypervolume, knee
from nas.study.ledger import Ledger
from nas.study.seed_spread import seed_spread
from search_spaces.cells.genotype import Genotype

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]
Recorded = Mapping[str, Any] | None

_COSTS = ("params", "macs")  # metrics a front is drawn over, besides latencies and energies
_SHOWN_OFTEN = 10
COLUMNS = ("number", "ended", "key", "score", "seconds", "cost", "reused")


@dataclass(frozen=True, slots=True)
class RecordedPart:
    """A part as a study wrote it down; `others` is what else it wrote of it."""

    name: str
    options: Mapping[str, Any]
    others: Mapping[str, Any]

    @classmethod
    def read(cls, recorded: Mapping[str, Any]) -> Self:
        """A part of study.json."""
        others = {name: recorded[name] for name in recorded if name not in ("name", "options")}
        return cls(recorded["name"], recorded["options"], others)


@dataclass(frozen=True, slots=True)
class Task:
    """What all studies of a report do alike."""

    space: RecordedPart
    evaluator: RecordedPart
    rules: Mapping[str, Any]
    limits: Mapping[str, Any]
    repeats: str = "free"  # what a budget of trials makes of them
    screen: Recorded = None
    learn_from: Sequence[str] = ()  # older studies whose judgements were known from the start
    learnt: Mapping[str, Any] | None = None
    fidelity: Sequence[float] | None = None
    objectives: Sequence[str] = ()  # formulas, where there are several
    scales: Sequence[Scale] | None = None  # what their fronts are measured by

    @property
    def duplicates(self) -> str:
        """What is done with a genotype that is known already."""
        return str(self.rules["duplicates"])


@dataclass(frozen=True, slots=True)
class StudySettings:
    """What study.json says, as far as reports show it; `recorded` is the whole of it."""

    recorded: Mapping[str, Any]
    task: Task
    strategy: RecordedPart
    seed: int
    budget: Mapping[str, float]
    hardware: Recorded
    versions: Recorded
    commit: str | None
    measured: Recorded
    runner: RecordedPart | None
    weights: Mapping[str, Any]  # what strategies recorded beside their options

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The settings of the study in this folder."""
        found = read_study_json(folder)
        space, evaluator, strategy = (
            RecordedPart.read(found[kind]) for kind in ("space", "evaluator", "strategy")
        )
        runner = found.get("runner")
        return cls(
            recorded=found,
            task=Task(
                *(space, evaluator, found["rules"], found["limits"], found["repeats"]),
                *(found.get("screen"), found.get("learn_from", ()), found.get("learnt")),
                fidelity=found.get("fidelity"),
                objectives=found.get("objectives", {}).get("formulas", ()),
                scales=found.get("scales"),
            ),
            strategy=strategy,
            seed=int(found["seed"]),
            budget=found.get("budget", {}),
            hardware=found.get("hardware"),
            versions=found.get("versions"),
            commit=found.get("commit"),
            measured=found.get("measured"),
            runner=None if runner is None else RecordedPart.read(runner),
            weights=found.get("recorded", {}),
        )


class Best(NamedTuple):
    """A trial that was the best when it was told, and what it was judged by afterwards; where
    fronts are measured, one that came to the front, and the hypervolume since.

    `trials` counts those that had ended until then, this one included; repeats of a known genotype
    do not count.
    """

    trials: int
    number: int
    score: float
    cost: float
    final: Mapping[str, float]


class UsedMachine(NamedTuple):
    """A kind of machine, and the trials that were evaluated on it."""

    machine: str
    trials: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class JudgedOften:
    """A trial whose score is the mean of several seeds, and their standard error."""

    number: int
    score: float
    error: float
    evaluations: int


class FrontTrial(NamedTuple):
    """A trial that no other of its study dominates."""

    number: int
    point: tuple[float, ...]
    genotype: Mapping[str, Any]
    metrics: Mapping[str, Any]
    final: Mapping[str, float]


class Winner(NamedTuple):
    """The genotype a study chose; where fronts are measured, the knee, with the hypervolume as its
    score."""

    number: int
    key: str
    score: float
    genotype: Mapping[str, Any]
    metrics: Mapping[str, Any]
    final: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """One study.

    Args:
        told: a row for every trial told, in the order in which results arrived. `ended`: how many
            trials had ended by then, repeats of a known genotype not counted; `cost`: summed
            seconds of evaluation by then; `reused`: whether the score was known already from an
            equal genotype; `key`: equal for equal genotypes; then what networks cost, NaN where
            a trial does not say.
        updates: a row for every update of a controller, a column for every number in one.
        costs: what it cost beside what was foreseen; empty, where nothing was.
    """

    folder: Path
    settings: StudySettings
    told: pandas.DataFrame
    bests: Sequence[Best]
    winner: Winner | None
    counts: Mapping[str, int]
    failure_kinds: Mapping[str, int]
    total_cost: float
    strategy_seconds: float
    wall_seconds: float
    sessions: int
    budget: Mapping[str, Any]
    finished: str | None
    updates: pandas.DataFrame
    machines: Sequence[UsedMachine]
    costs: str
    judged_often: Sequence[JudgedOften] = ()  # the best of them, the best first
    front: Sequence[FrontTrial] = ()

    @property
    def metrics(self) -> list[str]:
        """The columns of `told` that say what networks cost."""
        return [name for name in self.told.columns if name not in COLUMNS]

    @property
    def score(self) -> Floats:
        """The scores, in the order in which they arrived."""
        return self.told["score"].to_numpy()

    @property
    def proposals(self) -> dict[int, str]:
        """The key of each trial that was told."""
        return dict(zip(self.told["number"], self.told["key"], strict=True))

    @property
    def seed(self) -> int:
        """The seed of the study."""
        return self.settings.seed

    @property
    def strategy(self) -> str:
        """The name of its strategy."""
        return self.settings.strategy.name

    @property
    def ended(self) -> int:
        """How many trials ended, in whatever way, repeats of a known genotype not counted."""
        return sum(self.counts.get(how, 0) for how in ("evaluated", "stopped", "failed"))


def read_frame(folder: Path) -> Frame:
    """Read the study in this folder, its log once."""
    ledger = Ledger(Plan.read(folder).rules, listens=False)  # first, for it says what is missing
    settings = StudySettings.read(folder)
    import pandas

    task = settings.task
    rows, updates = _Rows(task.objectives), []
    for step in course_of(folder, ledger):
        if isinstance(step, Updated):
            updates.append(_diagnostics(step))
        elif step.learnt:
            rows.find(step, step.score if step.best else None)
        elif task.scales is None:
            rows.add(step, step.score if step.best else None)
        else:
            points = [point for point, _ in ledger.front] if step.on_front else []
            rows.add(step, hypervolume(points, task.scales) if points else None)

    return Frame(
        folder=folder,
        settings=settings,
        told=rows.table(),
        bests=[best._replace(final=ledger.opened.get(best.number, {})) for best in rows.bests],
        winner=_winner(ledger, rows) if task.scales is None else _knee(ledger, rows),
        counts=dict(ledger.counts),
        failure_kinds=dict(ledger.failure_kinds),
        total_cost=ledger.cost,
        strategy_seconds=ledger.strategy_seconds,
        wall_seconds=ledger.wall_seconds,
        sessions=ledger.sessions,
        budget=ledger.budget.to_dict() if ledger.sessions else settings.budget,
        finished=ledger.finished,
        updates=pandas.DataFrame(updates),
        machines=list(rows.machines.values()),
        costs=sentence_of(compared(folder, ledger)),
        judged_often=rows.judged_often,
        front=[] if task.scales is None else list(_front(ledger)),
    )


class _Rows:
    """Collects told trials in columns of numbers: a hundred thousand records would take ten times
    the room."""

    def __init__(self, objectives: Sequence[str]) -> None:
        self.bests: list[Best] = []
        self.best_metrics: Mapping[str, Any] = {}
        self.machines: dict[str, UsedMachine] = {}
        self.judged_often: list[JudgedOften] = []
        self._columns: dict[str, array[Any]] = {
            **{name: array("q") for name in ("number", "ended")},
            **{name: array("d") for name in ("score", "seconds", "cost")},
        }
        self._keys: dict[str, int] = {}
        self._key, self._reused = array("q"), array("b")
        self._metrics: dict[str, dict[int, float]] = {}
        self._objectives = {formula: array("d") for formula in objectives}

    def add(self, trial: ToldTrial, reached: float | None) -> None:
        """One more row; `reached` is what the study has come to with it, where that is more."""
        for name, column in self._columns.items():
            column.append(getattr(trial, name))
        row = len(self._key)
        self._key.append(self._keys.setdefault(trial.key, len(self._keys)))
        self._reused.append(trial.reused)
        for column, value in zip(self._objectives.values(), trial.objectives, strict=True):
            column.append(value)
        for name in _cost_names(trial.metrics):
            self._metrics.setdefault(name, {})[row] = float(trial.metrics[name])
        if not trial.reused and (machine := _machine_of(trial.metrics)):
            number, before = trial.number, self.machines.get(machine)
            _, trials, first, last = before or UsedMachine(machine, 0, number, number)
            used = UsedMachine(machine, trials + 1, min(first, number), max(last, number))
            self.machines[machine] = used
        if not trial.reused and (spread := seed_spread(trial.metrics)):
            one = JudgedOften(trial.number, trial.score, spread.error, spread.evaluations)
            insort(self.judged_often, one, key=lambda one: -one.score)
            del self.judged_often[_SHOWN_OFTEN:]
        self.find(trial, reached)

    def find(self, trial: ToldTrial, reached: float | None) -> None:
        """Note the best so far; what was learnt from older studies may be that, and is no row."""
        if reached is not None:
            self.bests.append(Best(trial.ended, trial.number, reached, trial.cost, {}))
            self.best_metrics = trial.metrics

    def table(self) -> pandas.DataFrame:
        """All rows."""
        import pandas

        keys = pandas.Categorical.from_codes(
            np.array(self._key), pandas.Index(self._keys, dtype=object)
        )
        known: dict[str, Any] = {name: np.array(column) for name, column in self._columns.items()}
        known |= {"key": keys, "reused": np.array(self._reused, dtype=np.bool_)}
        told = pandas.DataFrame({name: known[name] for name in COLUMNS})
        for name, values in sorted(self._metrics.items()):
            told[name] = pandas.Series(values, dtype="float64").reindex(told.index)
        return told.assign(**{name: np.array(column) for name, column in self._objectives.items()})


def _winner(ledger: Ledger, rows: _Rows) -> Winner | None:
    """The best trial."""
    best = ledger.best
    if best is None:
        return None
    number, genotype = best.trial.number, best.trial.genotype
    final = ledger.opened.get(number, {})
    return Winner(number, genotype.key, best.score, genotype.to_dict(), rows.best_metrics, final)


def _knee(ledger: Ledger, rows: _Rows) -> Winner | None:
    """The knee of the front, for what the whole of it covers."""
    front = list(_front(ledger))
    if not front:
        return None
    chosen, reached = front[knee([trial.point for trial in front])], rows.bests[-1].score
    key = Genotype.from_dict(chosen.genotype).key
    return Winner(chosen.number, key, reached, chosen.genotype, chosen.metrics, chosen.final)


def _front(ledger: Ledger) -> Iterator[FrontTrial]:
    """The best by the first objective first."""
    for point, owner in sorted(ledger.front, key=lambda member: -member[0][0]):
        asked = owner.entry.asked
        final = ledger.opened.get(asked["number"], {})
        yield FrontTrial(asked["number"], point, asked["genotype"], owner.metrics, final)


def _diagnostics(update: Updated) -> dict[str, float]:
    """The numbers of an update, with two that follow from them."""
    numbers = update.numbers
    distinct = numbers.get("distinct", 0) / max(numbers.get("of_last", 0), 1)
    return {**numbers, "distinct_share": distinct, "alarm": float(update.alarm is not None)}


def _machine_of(metrics: Mapping[str, Any]) -> str:
    """`NVIDIA H200, cuda, bf16`; nothing where a trial does not say."""
    told = (metrics.get(name) for name in ("hardware", "device", "precision"))
    return ", ".join(str(word) for word in told if word is not None)


def _cost_names(metrics: Mapping[str, Any]) -> Iterator[str]:
    for name, value in metrics.items():
        costly = name in _COSTS or "latency" in name or "energy" in name or name.endswith("_ms")
        if costly and isinstance(value, int | float):
            yield name
