"""`make fuzz`: damaged files and wrong command lines by the thousand for every reader; JSON lines.

Hypothesis draws them from a seed. No input may end in a traceback, hang, take a GiB of memory or
leave a file outside its output folder. What failed is printed once for each place it failed in.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from parts.readers import READERS, Fault, fault_of

_PATIENCE = 60  # seconds for one input
_BATCH = 20  # inputs from one seed, between two looks at the clock


class Hang(Exception):
    """An input took too long."""


def main() -> None:
    """Try every reader; exit code 1 if one of them did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=3_600.0, help="at most for each reader")
    parser.add_argument("--readers", nargs="+", choices=READERS, default=list(READERS))
    asked = parser.parse_args()
    os.environ["HOME"] = os.environ["NAS_DATA"] = tempfile.mkdtemp(prefix="nas-fuzz-home-")
    signal.signal(signal.SIGALRM, _hangs)
    warnings.simplefilter("error")

    failed = 0
    for reader in asked.readers:
        facts, faults = tried(reader, asked.inputs, asked.seed, asked.seconds)
        print(json.dumps(facts), flush=True)
        for fault in faults.values():
            print(fault.whole, file=sys.stderr, flush=True)
        failed += len(faults) + (facts["memory_mib"] > 1024)
    sys.exit(1 if failed else 0)


def tried(
    reader: str, inputs: int, number: int, seconds: float
) -> tuple[dict[str, Any], dict[str, Fault]]:
    """Figures of one reader under so many inputs, and its faults by the place they lie in."""
    faults: dict[str, Fault] = {}
    counts = {"inputs": 0, "failed": 0}
    began = time.monotonic()

    with tempfile.TemporaryDirectory(prefix="nas-fuzz-") as place:

        def run(data: st.DataObject) -> None:
            counts["inputs"] += 1
            signal.alarm(_PATIENCE)
            fault = fault_of(reader, data, Path(place))
            signal.alarm(0)
            if fault is not None:
                counts["failed"] += 1
                faults.setdefault(fault.name, fault)

        batch = 0
        while counts["inputs"] < inputs and time.monotonic() - began < seconds:
            several = min(_BATCH, inputs - counts["inputs"])
            drawn(run, several, 1_000_000 * number + batch)
            batch += 1
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    facts = {
        "reader": reader,
        **counts,
        "faults": sorted(faults),
        "seconds": round(time.monotonic() - began, 1),
        "memory_mib": memory,
    }
    return facts, faults


def drawn(run: Callable[[st.DataObject], None], inputs: int, number: int) -> None:
    """Call it with so many drawings from this seed; none is kept, none made smaller."""
    quiet = settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    seed(number)(quiet(given(st.data())(run)))()


def _hangs(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise Hang(f"more than {_PATIENCE} seconds")


if __name__ == "__main__":
    main()
