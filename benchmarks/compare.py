"""Three strategies, a hundred seeds each, 12,000 simulated seconds on NAS-Bench-201, from the
command to the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TABLE = Path(os.environ.get("NASBENCH201", "../shared/data/nasbench201.csv.gz"))
STRATEGIES = "random-search,evolution,policy-gradient"
SEEDS = 100
MOST_SECONDS, MOST_MIB = 60.0, 1024.0


def main() -> None:
    """Run it and print its time and memory."""
    if not TABLE.exists():
        sys.exit(f"there is no table {TABLE}: name one with NASBENCH201=FILE")
    with tempfile.TemporaryDirectory() as folder:
        seconds, processor, memory = _measured(Path(folder) / "compared")
        report = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "nas", "report", f"{folder}/compared"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        report = time.perf_counter() - report
    studies = 3 * SEEDS
    _print(f"compare {studies} studies, report included", seconds, "s", MOST_SECONDS)
    _print("processor time of all its processes", processor, "s", None)
    _print("memory of all its processes at most", memory, "MiB", MOST_MIB)
    _print("the report alone", report, "s", None)


def _measured(out: Path) -> tuple[float, float, float]:
    words = [
        "compare",
        "--space",
        "nasbench201",
        "--table",
        str(TABLE),
        "--score",
        "c10_val_12",
        "--cost",
        "0.06*c10v_time_200",
        "--final",
        "c10_test_200",
        "--budget-seconds",
        "12000",
        "--strategies",
        STRATEGIES,
        "--set",
        "evolution.population=10",
        "--set",
        "evolution.sample=3",
        "--seeds",
        str(SEEDS),
        "--out",
        str(out),
    ]
    began = time.perf_counter()
    largest = 0.0
    with subprocess.Popen(
        [sys.executable, "-m", "nas", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            largest = max(largest, sum(map(_resident_mib, _family(process.pid))))
            time.sleep(0.1)
    if process.returncode:
        sys.exit(f"nas compare ended with exit code {process.returncode}")
    times = os.times()
    return time.perf_counter() - began, times.children_user + times.children_system, largest


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        below = [int(child) for child in children.read_text().split()]
    except OSError:
        return [pid]
    return [pid, *(member for child in below for member in _family(child))]


def _resident_mib(pid: int) -> float:
    """Memory of its own and its share of what it shares."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def _print(name: str, value: float, unit: str, most: float | None) -> None:
    ratio = None if most is None else value / most
    print(
        json.dumps({"name": name, "value": value, "unit": unit, "reference": most, "ratio": ratio})
    )


if __name__ == "__main__":
    main()
