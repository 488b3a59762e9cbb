"""What a search was foreseen to cost, kept in a file beside its log, and what it did cost."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from nas.search.reading import events_of
from nas.study.ledger import Ledger
from nas.study.store import LOG, SUPERNET, write_whole

FORECAST: Final = "forecast.json"
_LARGEST_FILE = 1_000_000
PREPARING = 0.35  # the same machine, another minute, and other children
_DEVIATIONS = 1.28  # of a logarithm: four of five lie within


@dataclass(frozen=True, slots=True)
class Span:
    """A number that is not known yet."""

    low: float
    likely: float
    high: float

    @classmethod
    def around(cls, likely: float, spread: float) -> Span:
        """A range of so many standard deviations of its logarithm."""
        factor = math.exp(_DEVIATIONS * spread)
        return cls(likely / factor, likely, likely * factor)

    def each(self, changed: Callable[[float], float]) -> Span:
        """The same change of all three."""
        low, likely, high = (changed(value) for value in (self.low, self.likely, self.high))
        return Span(min(low, high), likely, max(low, high))

    def plus(self, other: Span) -> Span:
        """The sum of two numbers that know nothing of each other."""
        likely = self.likely + other.likely
        below = math.hypot(self.likely - self.low, other.likely - other.low)
        above = math.hypot(self.high - self.likely, other.high - other.likely)
        return Span(likely - below, likely, likely + above)

    def holds(self, value: float) -> bool:
        """Whether it came as foreseen."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a search will cost.

    Args:
        tried: how many genotypes were tried, and what became of those that failed.
        hardware: the kinds of machines they were tried on.
        places: children at once.
        trials: as many as the budget buys.
        seconds_a_trial: the mean of all trials.
        device_hours: hours of GPUs, or of processor cores.
        memory_mib: the peak of the largest child.
        at_once: how many such children the memory of one GPU, or of the machine, holds.
        too_large: the share of the space that does not fit, so many at once as will run.
        preparing_seconds: before all that, once, for what all trials share.
    """

    tried: int
    failures: Mapping[str, int]
    hardware: Sequence[str]
    device: str
    places: int
    trials: Span
    seconds_a_trial: Span
    wall_seconds: Span
    device_hours: Span
    memory_mib: Span | None
    at_once: int | None
    too_large: float | None
    disk_mib: Span
    preparing_seconds: Span | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """Something foreseen, and how it came."""

    name: str
    unit: str
    foreseen: Span
    actual: float

    @property
    def within(self) -> bool:
        """Whether it lay in the range."""
        return self.foreseen.holds(self.actual)


def keep_forecast(folder: Path, forecast: Forecast) -> None:
    """Write it down, where the study has none yet."""
    if not (folder / FORECAST).exists():
        write_whole(folder / FORECAST, json.dumps(asdict(forecast), indent=2) + "\n")


def compared(folder: Path, ledger: Ledger) -> list[Compared]:
    """What was foreseen of the study in this folder, beside what came; nothing, where nothing was,
    or where nothing has ended yet.

    Wall clock and disk are those of a study that did what was foreseen, and ended.
    """
    foreseen, ended = _spans(folder), ledger.counts["evaluated"] + ledger.counts["stopped"]
    if not (foreseen and ended):
        return []
    actual = {"seconds_a_trial": ledger.cost / ended}
    prepares = "preparing_seconds" in foreseen  # else it was made before anything was foreseen
    if (prepared := _prepared(folder)) is not None:
        foreseen.setdefault("preparing_seconds", prepared[0])
        actual["preparing_seconds"] = prepared[1]
    if (peak := _peak_memory(folder)) is not None:
        actual["memory_mib"] = peak
    if ledger.finished is not None and foreseen["trials"].holds(ledger.bought_trials):
        actual["wall_seconds"] = ledger.wall_seconds
        actual["disk_mib"] = _disk_mib(folder, shared=prepares)
    return [
        Compared(name, unit, foreseen[name], actual[name])
        for name, unit in _UNITS.items()
        if name in foreseen and name in actual
    ]


def sentence_of(costs: Sequence[Compared]) -> str:
    """All of it, as people read it."""
    return ", ".join(map(_told, costs))


def _told(one: Compared) -> str:
    """`wall clock 61 s (45 to 80 foreseen)`."""
    how = "" if one.within else ", outside"
    span = f"{short(one.foreseen.low)} to {short(one.foreseen.high)} foreseen"
    return f"{_NAMES[one.name]} {short(one.actual)} {one.unit} ({span}{how})"


_UNITS = {
    "preparing_seconds": "s",
    "seconds_a_trial": "s",
    "wall_seconds": "s",
    "memory_mib": "MiB",
    "disk_mib": "MiB",
}
_NAMES = {
    "preparing_seconds": "shared weights",
    "seconds_a_trial": "a trial",
    "wall_seconds": "wall clock",
    "memory_mib": "memory of the largest child",
    "disk_mib": "disk",
}


def _spans(folder: Path) -> dict[str, Span]:
    """The ranges that lie there; a file that says nothing of use is like none."""
    path = folder / FORECAST
    try:
        if path.stat().st_size > _LARGEST_FILE:
            return {}
        found = json.loads(path.read_text(encoding="utf-8"))
        names = {"trials", *_UNITS}
        return {
            name: Span(*(float(each[end]) for end in ("low", "likely", "high")))
            for name, each in found.items()
            if name in names and each is not None
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _prepared(folder: Path) -> tuple[Span, float] | None:
    """What training shared weights in this folder was foreseen to take after its first steps, and
    what it took."""
    for record in sorted(folder.glob(f"{SUPERNET}*/{SUPERNET}.json")):
        try:
            found = json.loads(record.read_text(encoding="utf-8"))
            likely, seconds = float(found["foreseen_seconds"]), float(found["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # of before, or one that went on with a killed one
        return Span.around(likely, PREPARING), seconds
    return None


def _peak_memory(folder: Path) -> float | None:
    peaks = (
        event["metrics"].get("peak_memory_mib")
        for _, event in events_of(folder)
        if event["event"] == "told"
    )
    return max((float(peak) for peak in peaks if isinstance(peak, int | float)), default=None)


def _disk_mib(folder: Path, *, shared: bool) -> float:
    """The log, what is kept of the best, the winner, and weights that all share; reports are not
    foreseen."""
    files = [folder / LOG]
    for name in ("checkpoints", "best", *([f"{SUPERNET}*"] if shared else [])):
        for place in folder.glob(name):
            files += [file for file in place.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 2**20


def short(value: float) -> str:
    """`1,240`, `31`, `2.4`, `0.031`."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
