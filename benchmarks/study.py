"""What a study costs: trials per second with the log on, growth, memory, resuming, and a quick
command line."""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nas.contracts import Evaluator, Strategy, Trial
from nas.registry import load
from nas.seeding import derive
from nas.study import Budget, Rules
from nas.study.attempt import attempt, never_stop
from nas.study.store import Store, read_events
from nas.study.study import Study
from search_spaces.cells.space import SearchSpace

MEMORY_LIMIT = 1024.0  # bytes per trial


def main() -> None:
    """Print one JSON line per figure."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        table = make_table(folder / "table.csv")
        report_speed(folder, table)
        report_checksums(folder, table)
        report_growth(folder, table)
        report_memory(folder)
        report_resume(folder)
    report_start()


def report(name: str, value: float, unit: str, reference: float | None = None) -> None:
    """One figure, beside what it is to be compared with."""
    ratio = None if reference is None else value / reference
    print(
        json.dumps(
            {"name": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio}
        ),
        flush=True,
    )


# ------------------------------------------------------------------ trials per second


def make_table(path: Path) -> Path:
    """All 15,625 architectures of nasbench201 with made-up scores and costs."""
    rows = (
        f"{''.join(map(str, choices))},{sum(choices) / 24 + number % 97 / 1000},{1 + number % 7}\n"
        for number, choices in enumerate(itertools.product(range(5), repeat=6))
    )
    path.write_text("ops,score,cost\n" + "".join(rows))
    return path


def report_speed(folder: Path, table: Path) -> None:
    """The log and the bookkeeping against the bare loop: strategy and table alone."""
    space, judge = table_parts(table)
    for spoken in ("random-search", "evolution"):
        bare = 10_000 / bare_loop(make(spoken, space), judge, 10_000, folder)
        with study(
            folder / f"speed-{spoken}", make(spoken, space), 10_000, duplicates="retrain"
        ) as running:
            evaluated = 10_000 / advance(running, judge, 10_000)
        with study(folder / f"reuse-{spoken}", make(spoken, space), 10_000) as running:
            reused = 10_000 / advance(running, judge, 10_000)
        report(
            f"study: {spoken} on a table, log on, every trial evaluated",
            evaluated,
            "trials/s",
            bare,
        )
        report(f"study: {spoken} on a table, log on, duplicates reused", reused, "trials/s", bare)


def report_checksums(folder: Path, table: Path) -> None:
    """What proving the log costs: writing the lines of a study anew with checksums and without, and
    the difference beside the processor time of the study."""
    space, judge = table_parts(table)
    place = folder / "checksums"
    with study(place, make("random-search", space), 10_000, duplicates="retrain") as running:
        ran = processor_seconds(running, judge, 10_000)
    events = [event for _, event in read_events(place / "events.jsonl")]
    with_checks, without = (
        min(writing(folder / "written", events, checks) for _ in range(5))
        for checks in (True, False)
    )
    report(
        "study: checksums of 10,000 trials (reference: running them)",
        with_checks - without,
        "s",
        ran,
    )


def writing(path: Path, events: list[dict[str, Any]], checks: bool) -> float:
    """Processor seconds that it takes to write these events."""
    path.unlink(missing_ok=True)
    if not checks:  # a log goes on as it was begun
        path.write_text(json.dumps(events[0]) + "\n")
    with Store(path, sync="grouped") as store:
        began = time.process_time()
        for event in events[1:]:
            store.append(event)
        return time.process_time() - began


def report_growth(folder: Path, table: Path) -> None:
    """The cost of a trial late in a long study against early in it."""
    space, judge = table_parts(table)
    for spoken in ("random-search", "evolution"):
        with study(
            folder / f"growth-{spoken}", make(spoken, space), 101_000, duplicates="retrain"
        ) as running:
            advance(running, judge, 500)
            early = statistics.median(processor_seconds(running, judge, 200) for _ in range(5))
            advance(running, judge, 98_000)
            late = statistics.median(processor_seconds(running, judge, 200) for _ in range(5))
        name = f"study: {spoken}, a trial at 100,000 (reference: at 1,000), processor time"
        report(name, 1e6 * late / 200, "µs", 1e6 * early / 200)


def processor_seconds(running: Study, judge: Evaluator, trials: int) -> float:
    """What other programs take of the machine must not look like growth."""
    began = time.process_time()
    advance(running, judge, trials)
    return time.process_time() - began


# ------------------------------------------------------------------ memory and resuming


def report_memory(folder: Path) -> None:
    """What a trial leaves in memory, where nearly all genotypes are different."""
    space, judge = landscape_parts()
    for spoken in ("random-search", "evolution"):
        with study(folder / f"memory-{spoken}", make(spoken, space), 20_000) as running:
            advance(running, judge, 2_000)
            tracemalloc.start()
            advance(running, judge, 10_000)
            grown = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
        report(f"study: {spoken} on nasnet, memory", grown / 10_000, "bytes/trial", MEMORY_LIMIT)


def report_resume(folder: Path) -> None:
    """Opening a study of 10,000 trials, and the first proposal after it."""
    for place, (space, judge) in {
        "table": table_parts(folder / "table.csv"),
        "nasnet": landscape_parts(),
    }.items():
        source = folder / f"past-{place}"
        with study(source, make("random-search", space), 10_000, duplicates="retrain") as running:
            ran = advance(running, judge, 10_000)
        for spoken in ("random-search", "evolution", "optuna:tpe"):
            began = time.perf_counter()
            with study(source, make(spoken, space), 10_001, duplicates="retrain") as running:
                opened = time.perf_counter() - began
                began = time.perf_counter()
                running.strategy.ask(10_000)
                asked = time.perf_counter() - began
            report(
                f"study: {spoken} resumes 10,000 trials on {place} (reference: running them)",
                opened,
                "s",
                ran,
            )
            report(f"study: {spoken} asks after 10,000 trials on {place}", 1e3 * asked, "ms")


# ------------------------------------------------------------------ the command line


def report_start() -> None:
    """How long words take to come, beside Python's own start."""
    python = answered("-c", "pass")
    report("start: import nas", answered("-c", "import nas"), "s", python)
    report("start: nas --help", answered("-m", "nas", "--help"), "s", python)
    report("start: nas list", answered("-m", "nas", "list"), "s", python)


def answered(*words: str, times: int = 7) -> float:
    """The median of several runs."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


# ------------------------------------------------------------------ parts


def table_parts(path: Path) -> tuple[SearchSpace, Evaluator]:
    """The space of NAS-Bench-201 judged by a table."""
    space = load("space", "nasbench201")()
    return space, load("evaluator", "table")(
        space, table=str(path), score="score", cost="cost", decisions="ops"
    )


def landscape_parts() -> tuple[SearchSpace, Evaluator]:
    """The NASNet space judged by the landscape."""
    space = load("space", "nasnet")()
    return space, load("evaluator", "landscape")(space)


def make(spoken: str, space: SearchSpace) -> Strategy:
    """A strategy with its defaults."""
    strategy: Strategy = load("strategy", spoken)(space, 0)
    return strategy


@contextmanager
def study(
    folder: Path, strategy: Strategy, trials: int, duplicates: Any = "reuse"
) -> Iterator[Study]:
    """A study with the durability of cheap evaluators."""
    folder.mkdir(exist_ok=True)
    rules = Rules(duplicates=duplicates)
    with Study(
        folder, strategy, rules=rules, budget=Budget(trials=trials), sync="grouped"
    ) as opened:
        yield opened


def advance(running: Study, judge: Evaluator, trials: int) -> float:
    """Run until so many more trials are asked; the seconds it took."""
    began, end = time.perf_counter(), running.ledger.counts["asked"] + trials
    while running.ledger.counts["asked"] < end and (trial := running.ask()) is not None:
        outcome = attempt(judge, trial, running.workdir(trial.number), never_stop)
        running.tell(trial.number, outcome)
    return time.perf_counter() - began


def bare_loop(strategy: Strategy, judge: Evaluator, trials: int, folder: Path) -> float:
    """Strategy and evaluator without study and log."""
    began = time.perf_counter()
    for number in range(trials):
        proposal = strategy.ask(number)
        assert proposal is not None
        seed = derive(0, "trial", number)
        evaluation = judge.evaluate(proposal.genotype, seed=seed, workdir=folder, report=never_stop)
        strategy.tell(Trial(number, proposal.genotype, seed, proposal.notes), evaluation)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
