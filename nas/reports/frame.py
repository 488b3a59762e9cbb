"""What a study amounts to, as numbers: read from its log, never from anywhere else."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nas.search.plan import Plan, read_study_json
from nas.study.events import ENDS
from nas.study.ledger import Ledger
from nas.study.store import Event, read_events

Floats = NDArray[np.float64]

_COSTS = ("params", "macs")  # metrics a front is drawn over, besides latencies and energies
_NOT_SCALAR = ("entropies", "policy", "event", "time")


class Best(NamedTuple):
    """A trial that was the best when it was told, and what it was judged by afterwards."""

    trials: (
        int  # trials ended until then, this one included; repeats of a known genotype do not count
    )
    number: int
    score: float
    cost: float
    final: Mapping[str, float]


class Winner(NamedTuple):
    """The genotype a study chose."""

    number: int
    key: str
    score: float
    genotype: Mapping[str, Any]
    metrics: Mapping[str, Any]
    final: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """One study. The columns have a row for every trial told, in the order in which results
    arrived.

    Args:
        trials: how many trials had ended when this one was told, repeats of a known genotype not
            counted.
        cost: summed seconds of evaluation of the study when it was told.
        reused: whether the score was known already from an equal genotype.
        keys: a whole number per genotype, equal for equal ones within the study.
    """

    folder: Path
    settings: Mapping[str, Any]
    number: NDArray[np.int64]
    trials: NDArray[np.int64]
    score: Floats
    seconds: Floats
    cost: Floats
    reused: NDArray[np.bool_]
    keys: NDArray[np.int64]
    key_names: Sequence[str]
    metrics: Mapping[str, Floats]
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
    updates: Sequence[Mapping[str, float]]

    @property
    def proposals(self) -> dict[int, str]:
        """The key of each trial that was told."""
        keys = (self.key_names[key] for key in self.keys.tolist())
        return dict(zip(self.number.tolist(), keys, strict=True))

    @property
    def seed(self) -> int:
        """The seed of the study."""
        return int(self.settings["seed"])

    @property
    def strategy(self) -> str:
        """The name of its strategy."""
        return str(self.settings["strategy"]["name"])

    @property
    def ended(self) -> int:
        """How many trials ended, in whatever way, repeats of a known genotype not counted."""
        return sum(self.counts.get(how, 0) for how in ("evaluated", "stopped", "failed"))


def read_frame(folder: Path) -> Frame:
    """Read the study in this folder."""
    settings, plan = read_study_json(folder), Plan.read(folder)
    ledger = Ledger(plan.rules)
    rows = _Rows()
    log = folder / "events.jsonl"
    for offset, event in read_events(log) if log.exists() else ():
        ledger.apply(event, offset)
        rows.add(event, ledger)
    return Frame(
        folder=folder,
        settings=settings,
        **rows.columns(),
        key_names=list(rows.key_index),
        metrics=rows.metric_columns(),
        bests=[best._replace(final=ledger.opened.get(best.number, {})) for best in rows.bests],
        winner=rows.winner(ledger),
        counts=dict(ledger.counts),
        failure_kinds=dict(ledger.failure_kinds),
        total_cost=ledger.cost,
        strategy_seconds=ledger.strategy_seconds,
        wall_seconds=ledger.wall_seconds,
        sessions=ledger.sessions,
        budget=ledger.budget.to_dict() if ledger.sessions else settings.get("budget", {}),
        finished=ledger.finished,
        updates=rows.updates,
    )


class _Rows:
    """Collects one row per told trial."""

    def __init__(self) -> None:
        self.ended = 0
        self.key_index: dict[str, int] = {}
        self.key_of: dict[int, int] = {}
        self.number, self.trials, self.keys = array("q"), array("q"), array("q")
        self.score, self.seconds, self.cost = array("d"), array("d"), array("d")
        self.reused = array("b")
        self.metrics: dict[str, array[float]] = {}
        self.bests: list[Best] = []
        self.best_metrics: Mapping[str, Any] = {}
        self.updates: list[dict[str, float]] = []

    def add(self, event: Event, ledger: Ledger) -> None:
        """Take in an event the ledger has just taken in."""
        kind = event["event"]
        self.ended += kind in ENDS and "reused" not in event
        if kind == "asked":
            self.key_of[event["number"]] = self.key_index.setdefault(
                event["key"], len(self.key_index)
            )
        elif kind == "told":
            self._told(event, ledger)
        elif kind == "updated":
            scalars = {name: event[name] for name in sorted(event) if _is_scalar(name, event[name])}
            distinct = scalars.get("distinct", 0) / max(scalars.get("of_last", 0), 1)
            self.updates.append(
                {**scalars, "distinct_share": distinct, "alarm": float("alarm" in event)}
            )

    def columns(self) -> dict[str, Any]:
        """The columns as arrays."""
        whole = {
            name: np.array(getattr(self, name), dtype=np.int64)
            for name in ("number", "trials", "keys")
        }
        parts = {
            name: np.array(getattr(self, name), dtype=np.float64)
            for name in ("score", "seconds", "cost")
        }
        return {**whole, **parts, "reused": np.array(self.reused, dtype=np.bool_)}

    def metric_columns(self) -> dict[str, Floats]:
        """Columns of what a network costs; NaN where a trial does not say."""
        return {
            name: np.array(values, dtype=np.float64)
            for name, values in sorted(self.metrics.items())
        }

    def winner(self, ledger: Ledger) -> Winner | None:
        """The best trial."""
        best = ledger.best
        if best is None:
            return None
        number, genotype = best.trial.number, best.trial.genotype
        final = ledger.opened.get(number, {})
        return Winner(
            number, genotype.key, best.score, genotype.to_dict(), self.best_metrics, final
        )

    def _told(self, event: Event, ledger: Ledger) -> None:
        number, score = event["number"], event["score"]
        self.number.append(number)
        self.trials.append(self.ended)
        self.keys.append(self.key_of[number])
        self.score.append(score)
        self.seconds.append(event["seconds"])
        self.cost.append(ledger.cost)
        self.reused.append("reused" in event)
        for name in _cost_names(event["metrics"]):
            column = self.metrics.setdefault(name, array("d", [np.nan] * (len(self.score) - 1)))
            column.append(float(event["metrics"][name]))
        for column in self.metrics.values():
            if len(column) < len(self.score):
                column.append(np.nan)
        if ledger.best is not None and ledger.best.trial.number == number:
            self.bests.append(Best(self.ended, number, score, ledger.cost, {}))
            self.best_metrics = event["metrics"]


def _cost_names(metrics: Mapping[str, Any]) -> Iterator[str]:
    for name, value in metrics.items():
        costly = name in _COSTS or "latency" in name or "energy" in name or name.endswith("_ms")
        if costly and isinstance(value, int | float):
            yield name


def _is_scalar(name: str, value: Any) -> bool:
    return name not in _NOT_SCALAR and isinstance(value, int | float)
