"""A costly evaluator for tests of comparisons: it writes down in which order it is asked, and can
be told to wait."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.contracts import Evaluation, Evaluator, Report
from nas.search.comparing.arms import arms_of, seeds_of
from nas.search.comparing.plan import Asked
from nas.search.comparing.run import Progress, compare
from nas.study import Budget
from parts.studies import lines, story
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


CHEAP: dict[str, Any] = {
    "space": {"name": "nasbench201"},
    "evaluator": {"name": "landscape"},
    "study": {"trials": 12},
    "evolution": {"population": 4, "sample": 2},
}


def costly(diary: Path, wait: float = 0.0, workers: int = 1) -> dict[str, Any]:
    return {
        **CHEAP,
        "evaluator": {"name": "parts.comparisons:Costly", "diary": str(diary), "wait": wait},
        "runner": {"name": "local", "workers": workers},
        "study": {"trials": 6},
    }


def compared(
    folder: Path,
    strategies: str = "evolution,random-search",
    seeds: str = "3",
    tree: dict[str, Any] | None = None,
    processes: int = 1,
    progress: Progress | None = None,
    **more: Any,
) -> bool:
    used = CHEAP if tree is None else tree
    if "evolution" not in strategies:
        used = {name: table for name, table in used.items() if name != "evolution"}
    arms, budget = arms_of(strategies, used)
    asked = Asked(arms, seeds_of(seeds), Budget(), **more)
    return compare(folder, asked, budget, processes, progress or Progress())


def stories(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What every study below a folder says, without its times."""
    return {
        path.parent.relative_to(folder).as_posix(): story(lines(path.parent))
        for path in sorted(folder.rglob("events.jsonl"))
    }
