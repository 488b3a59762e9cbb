"""`python -m benchmarks.gpu_proof`: one section after another, each in a process and a time box of
its own, written to `results/gpu/<card>/` as it goes.

Needs torch, numpy and safetensors alone. CIFAR-10 is found through `NAS_DATA`: the official python
layout, or mosaics of it where Pillow is installed; without it the search is on digits.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.gpu_proof.asked import Asked
from benchmarks.gpu_proof.boxes import run_in_a_box
from benchmarks.gpu_proof.page import Proof

# What is shown, in this order: the file here that shows it, and its seconds at full size and at the
# smallest. All of them together, and what starting costs, stay below twenty minutes.
SECTIONS = {
    "card": (30, 0.2),
    "correctness": (150, 20),
    "children": (150, 1),
    "packed": (90, 0.5),
    "mobile": (60, 0.5),
    "exported": (50, 0.5),
    "search": (600, 5),
}
_GRACE = 20  # a section is ended so many seconds after its time is up


def main() -> None:
    """Run all, or those that are named; exit code 1 where something is wrong or did not run."""
    asked = _asked()
    proof = Proof(asked.out, small=asked.small)
    for name in asked.names or SECTIONS:
        seconds = SECTIONS[name][asked.small]
        section = Asked(asked.device, asked.small, seconds, proof.folder_of(name))
        proof.begin(name)
        for line in run_in_a_box(name, section, seconds + _GRACE):
            proof.add(name, line)
            print(json.dumps({"section": name, **line}), flush=True)
    print(proof.summary(), file=sys.stderr)
    sys.exit(0 if proof.holds else 1)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_proof", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to see that all of it runs")
    parser.add_argument("--small", action="store_true", help="the smallest size, in seconds")
    parser.add_argument("--out", type=Path, default=Path("results/gpu"), help="the folder of cards")
    asked = parser.parse_args()
    unknown = sorted(set(asked.names) - set(SECTIONS))
    if unknown:
        parser.error(f"no section is called {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    return asked


if __name__ == "__main__":
    main()
