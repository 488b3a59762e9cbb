"""A costly evaluator for tests of comparisons: it writes down in which order it is asked, and can be told to wait."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from nas.contracts import Evaluation, Evaluator, Report
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace


class Costly(Evaluator):
    """Scores by genotype and seed, and remembers the study of every trial in a file."""

    def __init__(self, space: SearchSpace, *, diary: str, wait: float = 0.0) -> None:
        super().__init__(space)
        self.diary, self.wait = diary, wait

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        with Path(self.diary).open("a") as file:
            file.write(f"{workdir.parts[-4]} {workdir.parts[-3]} {seed}\n")
        time.sleep(self.wait * (1 + seed % 3))
        score = sum(self.space.encode(genotype)) + seed % 1000 / 1000
        return Evaluation(score, {"params": 10 + sum(self.space.encode(genotype))}, 1.0)

    def final(self, genotype: Genotype, *, kept: Path | None = None) -> Mapping[str, float]:
        return {"judged": float(sum(self.space.encode(genotype)))}
