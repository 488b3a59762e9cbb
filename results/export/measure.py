"""How far exported files are from their networks, and what they cost to make: python
results/export/measure.py OUT.csv.

50 random genotypes (N = 1, F = 8, 32 px), every batch norm with statistics of its own; then the
published mobile network. The Python file is run in this process here; `tests/test_export.py -m
slow` runs it in a fresh one. Killed anywhere, the same command continues: what OUT.csv holds
already is not measured again.
"""

import csv
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from nas.exporting.choosing import choices, subject_of
from nas.exporting.program import traced
from nas.exporting.stranger import answers_of_program
from nas.exporting.subject import Subject
from nas.exporting.verification import verified
from nas.exporting.written import Written
from nas.registry import load
from nas.seeding import numpy_rng
from parts.exported_networks import enliven, module_of, subject

BATCHES = (1, 2, 17)
FORMATS = ("python-source", "onnx-model", "torch-export")
COLUMNS = (
    "network",
    "params",
    "format",
    "batch",
    "difference",
    "relative",
    "seconds",
    "cpu_seconds",
)


def rows_of(name: str, small: Subject, formats: tuple[str, ...]) -> Iterator[list[list[object]]]:
    """The rows of one format after the other; `torch-export` shares its trace with ONNX where both
    are made."""
    traced.cache_clear()
    params = sum(parameter.numel() for parameter in small.network.parameters())
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for kind in formats:
            began, spent = time.perf_counter(), time.process_time()
            written = load("exporter", kind)(small, folder)
            seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - spent
            if kind == "python-source":
                network = module_of(folder / "model.py").build()
                written = Written(
                    written.files,
                    "",
                    lambda batches, run=network: [run(batch).detach() for batch in batches],
                )
            elif kind == "torch-export":
                written = Written(
                    written.files,
                    "",
                    lambda batches: answers_of_program(folder / "model.pt2", batches),
                )
            costs = [round(seconds, 2), round(cpu_seconds, 2)]
            yield [
                [name, params, kind, check.batch, check.difference, check.relative, *costs]
                for check in verified(small, {kind: written}, BATCHES)
            ]


def measured(file: Path) -> set[tuple[str, str]]:
    """The networks and formats that an earlier start finished; lines cut off by its end are dropped
    from the file."""
    if not file.exists():
        file.write_text(",".join(COLUMNS) + "\n")
        return set()
    with file.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["cpu_seconds"]]
    batches: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows:
        batches.setdefault((row["network"], row["format"]), []).append(row)
    whole = {key: found for key, found in batches.items() if len(found) == len(BATCHES)}
    with file.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS)
        writer.writeheader()
        writer.writerows(row for found in whole.values() for row in found)
    return set(whole)


def measure(
    file: Path,
    done: set[tuple[str, str]],
    name: str,
    make: Callable[[], Subject],
    formats: tuple[str, ...],
) -> None:
    """Add what is missing of one network to the file, format by format."""
    missing = tuple(kind for kind in formats if (name, kind) not in done)
    if missing:
        for rows in rows_of(name, make(), missing):
            with file.open("a", newline="") as lines:
                csv.writer(lines).writerows(rows)


def main() -> None:
    torch.set_num_threads(1)
    file = Path(sys.argv[1])
    done = measured(file)
    space = load("space", "nasnet")()
    for number in range(50):
        drawn = partial(
            lambda number: subject(space.sample(numpy_rng(1, "export", number))), number
        )
        measure(file, done, f"random-{number}", drawn, FORMATS if number < 10 else FORMATS[:2])
    measure(file, done, "nasnet-a imagenet-mobile", mobile, FORMATS)


def mobile() -> Subject:
    found = subject_of(choices("nasnet-a")[0], "imagenet-mobile")
    enliven(found.network)
    return found


if __name__ == "__main__":
    main()
