"""Whether a change leaves searches and reports as they were: fixed commands, their digests.

`python -m benchmarks.before_after --write before.json` runs eleven searches and two comparisons
through the command line, prints a digest of each log without its clocks and of each report's
numbers, and keeps what the digests stand for. After a change, `--against before.json` runs the
same again, prints the same lines and names the first differences; it ends with exit code 1 where
there are any. Numbers are held against each other on one machine: networks are really trained
(fp32, one thread), and another processor has other last digits.

`--only NAME` runs one of them. What earlier versions did by default is asked for by name: the
preset `plain` of the controller, and the score of a table.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LANDSCAPE = "--evaluator landscape"
DIGITS = (
    "--evaluator train --dataset digits --device cpu --set skeleton.filters=8 "
    "--set evaluator.threads=1 --set evaluator.precision=fp32 --set evaluator.layout=contiguous"
)

FAILING = '''
"""A judge that fails for a third of its seeds."""

from nas.contracts import Evaluation, Evaluator


class Moody(Evaluator):
    def evaluate(self, genotype, *, seed, workdir, report):
        if seed % 3 == 0:
            raise ValueError(f"seed {seed} never works")
        return Evaluation(seed % 1000 / 1000, {"seed": seed % 7}, 1.5)
'''

CLOCKS = {"time", "strategy_seconds", "wall_seconds", "idle_seconds"}
CLOCKS |= {"total_strategy_seconds", "total_wall_seconds"}
# What an earlier status did not say.
CLOCKS |= {"running", "pace", "alarm", "proves_itself", "as_of"}
PROOFS = {"format", "study"}  # of a log; its checksums hang on its clocks
MEASURED = CLOCKS | {"seconds", "images_per_second", "peak_memory_mib"}
PLACES = {"folder", "folders"}


@dataclass(frozen=True, slots=True)
class Search:
    """One command, and how it is resumed.

    `ordered` is False where events of several workers arrive in any order; `timed` is True where
    evaluations are timed by a clock.
    """

    name: str
    words: str
    then: str = ""
    ordered: bool = True
    timed: bool = False


SEARCHES = (
    Search(
        "random-search",
        f"--space nasnet --strategy random-search {LANDSCAPE} --trials 150 --seed 1",
    ),
    Search(
        "evolution, deterministic, two workers",
        f"--space nasbench201 --strategy evolution {LANDSCAPE} --trials 60 "
        "--set strategy.population=10 --set strategy.sample=4 --seed 2 --deterministic "
        "--lag 4 --workers 2",
        ordered=False,
    ),
    Search(
        "local-search from a published cell, duplicates retrained, then extended",
        f"--space darts --strategy local-search {LANDSCAPE} --trials 100 "
        "--start-from darts-v2 --duplicates retrain --seed 3",
        "--trials +50",
    ),
    Search(
        "optuna:tpe, early stopping by asha",
        f"--space nasnet --strategy optuna:tpe {LANDSCAPE} --trials 60 "
        "--set evaluator.epochs=9 --early-stop asha --seed 4",
    ),
    Search(
        "optuna:nsgaii, duplicates drawn again",
        f"--space ladder --strategy optuna:nsgaii {LANDSCAPE} --trials 20 "
        "--set strategy.population_size=5 --duplicates resample --seed 5",
    ),
    Search(
        "policy-gradient, past a snapshot, resumed",
        f"--space nasbench201 --strategy policy-gradient {LANDSCAPE} --trials 1050 "
        "--set strategy.preset=plain --set strategy.hidden=16 --seed 6",
        "--trials +50",
    ),
    Search(
        "policy-gradient of the paper, early stopping by median",
        f"--space nasnet --strategy policy-gradient {LANDSCAPE} --trials 80 "
        "--set strategy.preset=paper --set evaluator.epochs=5 --seed 7 "
        "--early-stop median --stopped-as ignore",
    ),
    Search(
        "evolution on the shipped table, budget in seconds",
        "--space nasbench201 --strategy evolution --evaluator table "
        "--set strategy.population=10 --set strategy.sample=3 --seed 8 "
        "--budget-seconds 60",
        "--budget-seconds 90",
    ),
    Search(
        "digits trained, early stopping, winner exported",
        f"--space ladder --strategy evolution {DIGITS} --set recipe.epochs=3 "
        "--set strategy.population=3 --set strategy.sample=2 --trials 6 "
        "--early-stop median --set study.grace_trials=2 --seed 9 --to python,json,svg",
        timed=True,
    ),
    Search(
        "digits trained under limits",
        f"--space nasbench201 --strategy random-search {DIGITS} --seed 10 "
        "--set recipe.epochs=1 --max-params 0.03M --max-macs 1M --trials 3 --to none",
        timed=True,
    ),
    Search(
        "failures, retried and counted",
        "--space ladder --strategy evolution --evaluator moody_judge:Moody "
        "--set strategy.population=5 --set strategy.sample=3 --trials 30 --retries 2 "
        "--failure-score -1 --to none --seed 11",
        timed=True,
    ),
)

COMPARISONS = {
    "comparison on the shipped table": (
        "--space nasbench201 --evaluator table --score score --budget-seconds 15 "
        "--strategies evolution,policy-gradient --set evolution.population=8 "
        "--set evolution.sample=3 --set policy-gradient.preset=plain "
        "--set policy-gradient.hidden=8 --seeds 5"
    ),
    "comparison on the landscape, confirmed": (
        f"--space ladder {LANDSCAPE} --trials 25 --confirm 3 "
        "--strategies local-search,small=evolution --set small.population=5 "
        "--set small.sample=2 --seeds 4"
    ),
}


def main() -> None:
    """Run, print, and keep or compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.before_after", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="keep what was found")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with what was kept")
    parser.add_argument("--only", metavar="NAME", help="only those whose name begins so")
    asked = parser.parse_args()
    before = json.loads(asked.against.read_text()) if asked.against else {}
    found, different = {}, 0
    for name, value in _all(asked.only or ""):
        found[name] = value
        kept = _without(before.get(name), PROOFS)
        differences = list(_apart(kept, value, "")) if name in before else []
        different += bool(differences)
        verdict = "" if name not in before else "  DIFFERENT" if differences else "  same"
        print(f"{_digest(value)}  {name}{verdict}", flush=True)
        for line in differences[:5]:
            print(f"{'':16}  {line}")
    if asked.write:
        asked.write.write_text(json.dumps(found, indent=0) + "\n")
    sys.exit(1 if different else 0)


def _all(beginning: str) -> Iterator[tuple[str, Any]]:
    for search in SEARCHES:
        if search.name.startswith(beginning):
            yield search.name, _searched(search)
    for name, words in COMPARISONS.items():
        if name.startswith(beginning):
            events, numbers, rows = _compared(words)
            yield f"{name}: events", events
            yield f"{name}: report", numbers
            yield f"{name}: trials.csv", rows


def _searched(search: Search) -> Any:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "moody_judge.py").write_text(FAILING)
        _nas(folder, f"search {search.words} --out study")
        if search.then:
            _nas(folder, f"resume study {search.then}")
        lines = _events(folder / "study", MEASURED if search.timed else CLOCKS)
        best = json.loads((folder / "study" / "best" / "genotype.json").read_text())
        status = json.loads(_nas(folder, "status study --check --json"))
    left_out = PLACES | CLOCKS | ({"cost_seconds"} if search.timed else set())
    if not search.ordered:
        lines.sort(key=lambda line: json.dumps(line, sort_keys=True))
    return {"events": lines, "best": best, "status": _without(status, left_out)}


def _compared(words: str) -> tuple[Any, Any, Any]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _nas(folder, f"compare {words} --processes 2 --no-report --out all")
        numbers = json.loads(_nas(folder, "report all --json"))
        studies = sorted(file.parent for file in (folder / "all").rglob("events.jsonl"))
        events = {study.relative_to(folder).as_posix(): _events(study, CLOCKS) for study in studies}
        with (folder / "all" / "trials.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
    # The commit is meant to be another one.
    numbers["checklist"] = [line for line in numbers["checklist"] if "commit" not in line["note"]]
    left_out = CLOCKS | PLACES | {"commits"}
    return events, _without(numbers, left_out), _without(rows, left_out)


def _nas(folder: Path, words: str) -> str:
    """Run a command of this working copy in a folder."""
    root = Path(__file__).parent.parent
    paths = os.pathsep.join((str(root), str(folder)))
    answer = subprocess.run(
        [sys.executable, "-m", "nas", *words.split()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if answer.returncode:
        sys.exit(f"nas {words} ended with {answer.returncode}: {answer.stderr}")
    return answer.stdout


def _events(study: Path, left_out: set[str]) -> list[Any]:
    lines = (study / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    for event in events:
        event.pop("check", None)
    return [_without(event, left_out | PROOFS) for event in events]


def _without(found: Any, left_out: set[str]) -> Any:
    if isinstance(found, dict):
        kept = {key: value for key, value in found.items() if key not in left_out}
        return {key: _without(value, left_out) for key, value in kept.items()}
    if isinstance(found, list):
        return [_without(value, left_out) for value in found]
    return found.partition("\nTraceback")[0] if isinstance(found, str) else found  # it names files


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _apart(before: Any, after: Any, where: str) -> Iterator[str]:
    """Every difference, with the way to it."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            if key in before and key in after:
                yield from _apart(before[key], after[key], f"{where}.{key}")
            else:
                yield f"{where}.{key} is {'new' if key in after else 'gone'}"
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            yield f"{where} had {len(before)} entries, now {len(after)}"
        for place, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from _apart(one, other, f"{where}[{place}]")
    elif before != after or type(before) is not type(after):
        yield f"{where} was {before!r}, is {after!r}"


if __name__ == "__main__":
    main()
