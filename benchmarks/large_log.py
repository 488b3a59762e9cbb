"""What reading a log of 100,000 trials takes: `nas status`, `nas best` and `nas report`, beside one
plain pass of `json.loads` over it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.study import report

TRIALS = 100_000
SEARCH = "--space nasnet --strategy random-search --evaluator landscape --seed 1"
PLAIN = """
import json, sys
for line in open(sys.argv[1], "rb"):
    json.loads(line)
"""
MEBIBYTE = 1024.0  # of the kibibytes that the kernel counts in


def main() -> None:
    """Print one JSON line per figure."""
    with tempfile.TemporaryDirectory() as place:
        study = Path(place) / "study"
        words = f"search {SEARCH} --trials {TRIALS} --out {study} --json"
        taken(sys.executable, "-m", "nas", *words.split())
        log = study / "events.jsonl"
        report("large log: size", log.stat().st_size / 1e6, "MB")

        plain, _ = taken(sys.executable, "-c", PLAIN, str(log))
        for verb in ("status", "best", "report"):
            seconds, memory = taken(sys.executable, "-m", "nas", verb, str(study))
            report(f"large log: nas {verb} (reference: a plain pass)", seconds, "s", plain)
            report(f"large log: nas {verb}, peak memory", memory, "MiB")


def taken(*command: str) -> tuple[float, float]:
    """Processor seconds of a command, and its peak memory: others may use this machine too."""
    code = (
        "import json, resource, subprocess, sys; "
        "subprocess.run(sys.argv[1:], check=True, stdout=sys.stderr, stderr=sys.stderr); "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, *command], check=True, capture_output=True, text=True
    )
    seconds, memory = json.loads(answer.stdout)
    return seconds, memory / MEBIBYTE


if __name__ == "__main__":
    main()
