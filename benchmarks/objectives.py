"""What one objective more costs a study, beside the same study without it: processor time, log on,
every trial evaluated by a table."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.study import make, make_table, processor_seconds, report
from nas.contracts import Evaluator
from nas.registry import load
from nas.search.objectives import Objectives, Weigher
from nas.study import Budget, Rules
from nas.study.study import Study

TRIALS, TIMES = 2_000, 3
FORMULAS = ("score", "-cost", "score / cost")


def main() -> None:
    """Print one JSON line per figure."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        table = make_table(folder / "table.csv")
        space = load("space", "nasbench201")()
        metrics = ["score", "cost"]
        judge: Evaluator = load("evaluator", "table")(
            space, table=str(table), score="score", cost="cost", decisions="ops", metrics=metrics
        )
        for spoken in ("random-search", "evolution", "local-search"):
            found = {count: float("inf") for count in (1, 2, 3)}
            for turn in range(TIMES):
                for count in found:  # in turns, so that a busy minute is one of all
                    at = folder / f"{spoken}-{turn}-{count}"
                    found[count] = min(found[count], seconds(at, spoken, count, judge))
            for count in (2, 3):
                report(
                    f"objectives: {spoken} with {count} (reference: {count - 1})",
                    1e6 * found[count] / TRIALS,
                    "µs/trial",
                    1e6 * found[count - 1] / TRIALS,
                )


def seconds(folder: Path, spoken: str, count: int, judge: Evaluator) -> float:
    """Processor seconds of a study with so many objectives."""
    folder.mkdir()
    weigh = Weigher(Objectives(FORMULAS[:count]), judge.measures) if count > 1 else None
    with Study(
        folder,
        make(spoken, judge.space),
        rules=Rules(duplicates="retrain"),
        budget=Budget(trials=TRIALS),
        sync="grouped",
        weigh=weigh,
    ) as running:
        return processor_seconds(running, judge, TRIALS)


if __name__ == "__main__":
    main()
