"""How long things take: `python docs/hooks/how_long.py` runs each command once and prints the table
of the README.

What is counted is processor time, of all processes together: on a machine that does nothing else it
is about what one waits for with one core, and it is the same while others use the machine.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

COMMANDS = (
    ("try it: 500 trials on a landscape", "nas search --evaluator landscape --strategy evolution --trials 500 --out first"),
    ("compare two strategies, 7 seeds, on the table that ships", "nas compare --strategies evolution --seeds 7 --space nasbench201 --evaluator table --trials 100 --out duel"),
    ("its report", "nas report duel"),
    ("train one child on 1,000 pictures of 32 pixels", "nas search --dataset image-folder:photos --trials 1 --to none --out pictures"),
    ("a bare search: train 20 children on digits, export the winner", "nas search --out digits"),
    ("retrain that winner with 3 seeds", "nas retrain digits --out retrained"),
)  # fmt: skip


def main() -> None:
    """Measure, and print."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| what | processor time |\n|---|---:|")
    with tempfile.TemporaryDirectory() as folder:
        _draw_pictures(Path(folder) / "photos", 1000)
        for what, command in COMMANDS:
            print(f"| {what}: `{command}` | {_said(_seconds(command, folder))} |", flush=True)


def _seconds(command: str, folder: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    subprocess.run(command.split(), cwd=folder, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _said(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _draw_pictures(folder: Path, count: int) -> None:
    """Pictures of noise, in four classes."""
    from PIL import Image

    from nas.seeding import numpy_rng

    rng = numpy_rng(0, "pictures")
    for number in range(count):
        place = folder / f"class {number % 4}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")


if __name__ == "__main__":
    main()
