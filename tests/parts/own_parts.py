"""Parts that somebody outside wrote, handed over as classes and objects."""

from __future__ import annotations

from pathlib import Path
from typing import final

from nas.contracts import Evaluation, Evaluator, Proposal, Report, Strategy, Trial
from nas.seeding import numpy_rng
from search_spaces.cells.genotype import Genotype


@final
class Guess(Strategy):
    """Draws at random."""

    def ask(self, number: int) -> Proposal:
        return Proposal(self.space.sample(numpy_rng(self.seed, "ask", number)))

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        pass


@final
class CountsOps(Evaluator):
    """Scores a genotype by how often an op stands in it; it needs no space."""

    cheap = True

    def __init__(self, *, op: str = "none") -> None:
        self.op = op

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        text = genotype.to_json()
        return Evaluation(float(text.count(self.op)))


@final
class HoldsMore(Evaluator):
    """Has something that its options do not say."""

    cheap = True

    def __init__(self) -> None:
        self.bonus = 0.0

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        return Evaluation(self.bonus)


@final
class ForgetsOption(Evaluator):
    """Keeps no attribute of its option's name."""

    def __init__(self, *, weight: float = 1.0) -> None:
        self.factor = weight

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        return Evaluation(self.factor)
