"""What a tracker is told: one run a study, one below it a trial; and what a tracker promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from nas.errors import NasError
from search_spaces.cells.genotype import Genotype

Parameters = Mapping[str, str | int | float | bool]


class Unreachable(NasError):
    """A tracker that does not answer just now; what it lacks can be shown later."""


class Point(NamedTuple):
    """One value of a series, with the second in which it came about."""

    name: str
    step: int
    value: float
    time: float


@dataclass(frozen=True, slots=True)
class Whole:
    """The run of a study, below which the runs of its trials stand.

    Args:
        identity: the same for the same log, wherever its folder lies.
    """

    identity: str
    title: str
    parameters: Parameters
    began: float
    folder: Path


@dataclass(frozen=True, slots=True)
class Run:
    """A trial that has ended, or a training at full size.

    Args:
        name: told apart by it, one word; the same each time it is read.
        stands_out: it was the best when it ended.
    """

    name: str
    parameters: Parameters
    state: Literal["finished", "stopped", "failed"]
    began: float
    ended: float
    points: tuple[Point, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    genotype: Genotype | None = None
    stands_out: bool = False


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How a study ended: what it came to, and the files of its winner.

    Args:
        mark: another one where it went on since and ended again.
    """

    mark: str
    metrics: Mapping[str, float]
    ended: float
    files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a tracker has already.

    Args:
        runs: names of those that are there whole.
        steps: the last step of each series of the study's own run.
        mark: of the ending that was shown last.
    """

    runs: frozenset[str] = frozenset()
    steps: Mapping[str, int] = field(default_factory=dict)
    mark: str | None = None


class Followed(ABC):
    """What is followed: a study, or trainings at full size. It reads on where it stopped."""

    folder: Path

    @abstractmethod
    def whole(self) -> Whole | None:
        """The run of all; None as long as nothing has begun."""

    @abstractmethod
    def news(self) -> Iterator[Run | Point]:
        """What has come since the last call: runs that ended, points of the study's own series."""

    @abstractmethod
    def ending(self) -> Conclusion | None:
        """How it ended; None where it has not."""


class Tracker(ABC):
    """Where runs are shown. One object follows one study.

    - `open` finds the study's run or begins it, and says what is there already.
    - A run is shown whole or, where that was cut short, not at all the next time `open` is asked.
    - Nothing is told twice: callers leave out what `open` said is there.
    - A server that does not answer is `Unreachable`; what lacks is told later, by another object.
    - Options are keyword arguments of the constructor, behind `*`, with defaults in JSON.
    """

    @abstractmethod
    def open(self, whole: Whole) -> Seen:
        """Find the run of this study, or begin it."""

    @abstractmethod
    def add(self, run: Run) -> None:
        """Show a run below it, whole."""

    @abstractmethod
    def extend(self, points: Sequence[Point]) -> None:
        """Show more of the study's own series."""

    @abstractmethod
    def end(self, ending: Conclusion) -> None:
        """Show how it ended; may be told again, with another mark."""

    @abstractmethod
    def where(self) -> str:
        """Where a person looks at it, in a line."""


def drawing_of(genotype: Genotype | None) -> str | None:
    """The cells as SVG; None where there is nothing to draw."""
    if genotype is None or not genotype.cells:
        return None
    from nas.drawings.svg import cells_svg

    return cells_svg(genotype)


def lacking(package: str, extra: str) -> NasError:
    """The sentence for a tracker whose package is not installed."""
    return NasError(
        f"tracking in {extra} needs {package}, which is not installed: "
        f"pip install 'nas-toolkit[{extra}]'"
    )
