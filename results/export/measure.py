"""How far exported files are from their networks, and what they cost to make: python results/export/measure.py OUT.csv.

50 random genotypes (N = 1, F = 8, 32 px), every batch norm with statistics of its own; then the published mobile
network. The Python file is run in this process here; `tests/test_export.py -m slow` runs it in a fresh one.
"""

import csv
import sys
import tempfile
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from exported_networks import enliven, module_of, subject

from nas.exporting.choosing import choices, subject_of
from nas.exporting.program import traced
from nas.exporting.stranger import answers_of_program
from nas.exporting.subject import Subject
from nas.exporting.verification import verified
from nas.exporting.written import Written
from nas.registry import load
from nas.seeding import numpy_rng

FORMATS = ("python-source", "onnx-model", "torch-export")
COLUMNS = ("network", "params", "format", "batch", "difference", "relative", "seconds", "cpu_seconds")


def rows_of(name: str, small: Subject, formats: tuple[str, ...]) -> list[list[object]]:
    traced.cache_clear()
    params = sum(parameter.numel() for parameter in small.network.parameters())
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for kind in formats:
            began, spent = time.perf_counter(), time.process_time()
            written = load("exporter", kind)(small, folder)
            seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - spent
            if kind == "python-source":
                network = module_of(folder / "model.py").build()
                written = Written(
                    written.files, "", lambda batches, run=network: [run(batch).detach() for batch in batches]
                )
            elif kind == "torch-export":
                written = Written(written.files, "", lambda batches: answers_of_program(folder / "model.pt2", batches))
            costs = [round(seconds, 2), round(cpu_seconds, 2)]
            rows += [
                [name, params, kind, check.batch, check.difference, check.relative, *costs]
                for check in verified(small, {kind: written}, (1, 2, 17))
            ]
    return rows


def main() -> None:
    torch.set_num_threads(1)
    space = load("space", "nasnet")()
    with open(sys.argv[1], "w", newline="") as file:  # noqa: PTH123
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(50):
            drawn = subject(space.sample(numpy_rng(1, "export", number)))
            formats = FORMATS if number < 2 else FORMATS[:2]
            writer.writerows(rows_of(f"random-{number}", drawn, formats))
            file.flush()
        mobile = subject_of(choices("nasnet-a")[0], "imagenet-mobile")
        enliven(mobile.network)
        writer.writerows(rows_of("nasnet-a imagenet-mobile", mobile, FORMATS))


if __name__ == "__main__":
    main()
