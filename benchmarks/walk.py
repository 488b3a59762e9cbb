"""How far a cheap search walks: files of ours it enters, and changes of file per trial.

Measured is `nas search --space nasbench201 --strategy random-search --evaluator landscape
--trials 4` in this process, after `nas.cli` is loaded. Ours are the files of `nas/`, `runners/`
and `search_spaces/`. A file is entered when code of it runs: one of its functions, or its module
code because it is imported on the way. A trial lasts from one call of the strategy's `ask` to the
next; within it, every call (or resumed generator) is a step, standard library and packages left
out, and a step into another file than that of the step before is a change of file. The figure is
the median over the trials that have a next one.

`--json` prints one object with the names of the files.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from itertools import pairwise
from pathlib import Path
from types import FrameType

from nas.cli import main as nas

ROOT = Path(__file__).resolve().parent.parent
OURS = tuple(f"{ROOT / room}{os.sep}" for room in ("nas", "runners", "search_spaces"))
STRATEGIES = str(ROOT / "nas" / "strategies")
WORDS = "search --space nasbench201 --strategy random-search --evaluator landscape --trials 4"
MOST_FILES, MOST_CHANGES = 30, 40

Step = tuple[str, str]  # the file and the name of what was called there


def main() -> None:
    """Walk and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.walk", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object, with the files' names")
    asked = parser.parse_args()
    steps = _walked()
    files = sorted({file for file, _ in steps})
    changes = _changes(steps)
    if asked.json:
        names = [Path(file).relative_to(ROOT).as_posix() for file in files]
        print(json.dumps({"files": len(files), "changes": changes, "names": names}))
    else:
        _print("walk: files entered by a search of four trials", len(files), "files", MOST_FILES)
        _print("walk: changes of file per trial", changes, "changes", MOST_CHANGES)


def _walked() -> list[Step]:
    """Every step of ours, in order."""
    steps: list[Step] = []

    def see(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            steps.append((frame.f_code.co_filename, frame.f_code.co_name))

    with tempfile.TemporaryDirectory() as folder:
        sys.argv = ["nas", *WORDS.split(), "--out", f"{folder}/study"]
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            sys.setprofile(see)
            try:
                nas()
            except SystemExit as end:
                if end.code:
                    raise
            finally:
                sys.setprofile(None)
    return steps


def _changes(steps: list[Step]) -> float:
    asks = [
        place
        for place, (file, name) in enumerate(steps)
        if name == "ask" and file.startswith(STRATEGIES)
    ]
    assert len(asks) >= 2, "no two trials were seen"
    return statistics.median(
        sum(steps[place][0] != steps[place - 1][0] for place in range(begin + 1, end + 1))
        for begin, end in pairwise(asks)
    )


def _print(name: str, value: float, unit: str, most: float) -> None:
    figure = {"name": name, "value": value, "unit": unit, "reference": most}
    print(json.dumps({**figure, "ratio": value / most}))


if __name__ == "__main__":
    main()
