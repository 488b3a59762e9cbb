"""A handful of genotypes, each tried for seconds where children will train: what they cost."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, final

from nas.contracts import (
    Evaluation,
    Evaluator,
    Failure,
    Foreseen,
    Json,
    Outcome,
    Report,
    Runner,
    Trial,
)
from nas.study.attempt import never_stop
from search_spaces.cells.genotype import Genotype

_MOST_TRIALS = 64


@dataclass(frozen=True, slots=True)
class Probed:
    """What one genotype would cost, or why it cannot be trained.

    Args:
        hardware: the kind of machine; empty where results hang on none.
        seconds: what the trying took.
    """

    genotype: Genotype
    foreseen: Foreseen | None
    failure: Failure | None
    hardware: str = ""
    device: str = "cpu"
    seconds: float = 0.0

    @classmethod
    def of(cls, genotype: Genotype, outcome: Outcome) -> Probed:
        """What an attempt at it by Foresight came to."""
        if isinstance(outcome, Failure):
            return cls(genotype, None, outcome, seconds=outcome.seconds)
        told = dict(outcome.metrics)
        foreseen = Foreseen(**told["foreseen"])
        return cls(
            genotype,
            foreseen,
            None,
            str(told.get("hardware", "")),
            str(told.get("device", "cpu")).partition(":")[0],
            outcome.seconds,
        )

    def not_exported(self) -> Probed:
        """The same, of a search that exports no winner."""
        if self.foreseen is None:
            return self
        return replace(self, foreseen=replace(self.foreseen, exported_mib=0.0))


@dataclass(frozen=True, slots=True)
class Probing:
    """What came of trying some genotypes.

    Args:
        places: how many children ran at once.
        starting: seconds until the first could begin.
    """

    tried: Sequence[Probed]
    places: int
    starting: float


@final
class Foresight(Evaluator):
    """Foresees what a child costs another evaluator, where and as that one would judge it."""

    def __init__(self, judge: Evaluator) -> None:
        super().__init__(judge.space)
        self._judge = judge
        self.device = judge.device

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """The cost among the metrics; where nothing can be foreseen, that of an evaluation."""
        del report
        began = time.perf_counter()
        foreseen = self._judge.foresee(genotype)
        if foreseen is None:
            judged = self._judge.evaluate(genotype, seed=seed, workdir=workdir, report=never_stop)
            foreseen = Foreseen(judged.seconds, judged.metrics.get("peak_memory_mib"))
        how = {**self._judge.settle(), "foreseen": asdict(foreseen)}
        return Evaluation(0.0, how, time.perf_counter() - began)

    def shared(self) -> Any:
        """The images of the judge."""
        return self._judge.shared()

    def take_shared(self, shared: Any) -> None:
        """Let the judge use them."""
        self._judge.take_shared(shared)

    def settle(self, known: Sequence[Mapping[str, Json]] = ()) -> Mapping[str, Json]:
        """As the judge settles."""
        return self._judge.settle(known)


def tried(evaluator: Evaluator, runner: Runner, genotypes: Sequence[Genotype]) -> Probing:
    """Try these genotypes with this runner, in a folder that is thrown away. Places that would
    stand idle try one too, so that what they share is shared, and all kinds of nodes are seen."""
    with tempfile.TemporaryDirectory(prefix="nas-plan-") as folder:
        trials = _Trials(Path(folder), genotypes)
        judge = Foresight(evaluator)
        runner.check(judge, Path(folder))
        runner.run(trials, judge)
    return Probing(list(trials.ended()), trials.places, trials.starting or 0.0)


@final
class _Trials:
    """What a runner runs: the genotypes, and again some of them until the first has ended."""

    def __init__(self, folder: Path, genotypes: Sequence[Genotype]) -> None:
        self._folder, self._genotypes = folder, genotypes
        self._outcomes: dict[int, Outcome] = {}
        self._asked = self._running = self.places = 0
        self._began = time.monotonic()
        self.starting: float | None = None

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def is_over(self) -> bool:
        return not (self._may_ask() or self._running)

    @property
    def stops_early(self) -> bool:
        return False

    def ask(self) -> Trial | None:
        if not self._may_ask():
            return None
        number = self._asked
        self._asked, self._running = number + 1, self._running + 1
        self.places = max(self.places, self._running)
        return Trial(number, self._genotypes[number % len(self._genotypes)], seed=number)

    def tell(self, number: int, outcome: Outcome) -> None:
        self._running -= 1
        self._outcomes[number] = outcome
        if self.starting is None:
            self.starting = max(0.0, time.monotonic() - self._began - outcome.seconds)

    def progress(self, number: int, step: int, metrics: Mapping[str, Json]) -> bool:
        del number, step, metrics
        return True

    def workdir(self, number: int) -> Path:
        return self._folder / "work" / str(number)

    def would_keep(self, score: float) -> bool:
        del score
        return False

    def free(self, places: int) -> None:
        del places

    def notice(self, text: str, about: str = "runner") -> None:
        del text, about

    def ended(self) -> Iterator[Probed]:
        for number, outcome in sorted(self._outcomes.items()):
            yield Probed.of(self._genotypes[number % len(self._genotypes)], outcome)

    def _may_ask(self) -> bool:
        spare = not self._outcomes and self._asked < _MOST_TRIALS
        return self._asked < len(self._genotypes) or spare
