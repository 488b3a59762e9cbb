"""An evaluator around another one: what it does not do itself, the inner one does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.contracts import Evaluator, Json, Outlook

if TYPE_CHECKING:
    from search_spaces.cells.genotype import Genotype


class Around(Evaluator):
    """Says of itself what the inner evaluator says, and asks it; `evaluate` is its own."""

    def __init__(self, judge: Evaluator) -> None:
        super().__init__(judge.space)
        self.judge = judge
        self.cheap, self.stands_in = judge.cheap, judge.stands_in
        self.last_step, self.device = judge.last_step, judge.device
        self.per_seed, self.one_at_a_time = judge.per_seed, judge.one_at_a_time
        self.asks_elsewhere = judge.asks_elsewhere

    def final(self, genotype: Genotype, *, kept: Path | None = None) -> Mapping[str, float]:
        """What the evaluator says."""
        return self.judge.final(genotype, kept=kept)

    def outlook(self) -> Outlook | None:
        """What the evaluator says."""
        return self.judge.outlook()

    @property
    def measures(self) -> Collection[str] | None:
        """What the evaluator measures."""
        return self.judge.measures

    def costs(self, genotype: Genotype) -> Mapping[str, float]:
        """What the evaluator knows before."""
        return self.judge.costs(genotype)

    def size(self, genotype: Genotype) -> float:
        """What the evaluator says."""
        return self.judge.size(genotype)

    def shared(self) -> Any:
        """What every child reads."""
        return self.judge.shared()

    def take_shared(self, shared: Any) -> None:
        """Use it."""
        self.judge.take_shared(shared)

    def prepare(self, folder: Path, seed: int, notice: Callable[[str], None]) -> None:
        """Make what all trials need."""
        self.judge.prepare(folder, seed, notice)

    def measured(self) -> Mapping[str, Json]:
        """What was measured before the first trial."""
        return self.judge.measured()

    def settle(self, known: Sequence[Mapping[str, Json]] = ()) -> Mapping[str, Json]:
        """What hangs on the machine."""
        return self.judge.settle(known)
