"""How often a search costs what `nas plan` said: ten searches that no range was fitted to, each
planned and then run; prints whether wall clock, seconds a trial, memory and disk lay in their
ranges.

    python -m benchmarks.forecasts [--only 0 4] [--seed 7] [--short]

CIFAR-10 is taken from `NAS_DATA`; the searches on it are left out where it does not lie there.
`--short` asks the estimate that `nas search` prints itself, where it prints one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_CHILDREN = ("--space", "nasnet", "--set", "skeleton.filters=4", "--set", "recipe.epochs=1")
_CIFAR = ("--dataset", "cifar10-16", "--set", "recipe.train_images=500")
_CIFAR += ("--set", "recipe.epochs=1", "--set", "skeleton.filters=4")
_CELLS = ("--space", "nasbench201")
SEARCHES: dict[str, tuple[str, ...]] = {
    "digits, random": (*_CELLS, "--strategy", "random-search", "--trials", "12"),
    "digits, evolution, 2 workers": (
        *(*_CELLS, "--strategy", "evolution", "--trials", "16", "--workers", "2"),
        *("--set", "strategy.population=4", "--set", "strategy.sample=2"),
    ),
    "digits, NASNet, policy gradient": (*_CHILDREN, "--trials", "8"),
    "digits-hard, local search": (
        *(*_CELLS, "--dataset", "digits-hard", "--set", "recipe.epochs=2"),
        *("--strategy", "local-search", "--trials", "10"),
    ),
    "digits-hard, DARTS, 2 workers": (
        *("--space", "darts", "--dataset", "digits-hard", "--set", "recipe.epochs=1"),
        *("--strategy", "random-search", "--trials", "8", "--workers", "2"),
        *("--set", "skeleton.filters=4"),
    ),
    "CIFAR-10, random": (*_CELLS, *_CIFAR, "--strategy", "random-search", "--trials", "8"),
    "CIFAR-10, evolution": (
        *(*_CELLS, *_CIFAR, "--strategy", "evolution", "--trials", "10"),
        *("--set", "strategy.population=4", "--set", "strategy.sample=2"),
    ),
    "CIFAR-10, critic, 2 workers": (
        *(*_CELLS, *_CIFAR, "--strategy", "critic", "--trials", "10", "--workers", "2"),
    ),
    "table, policy gradient": (*_CELLS, "--evaluator", "table", "--trials", "1500"),
    "table, TPE": (
        *(*_CELLS, "--evaluator", "table", "--strategy", "optuna:tpe", "--trials", "600"),
    ),
}
_ASKED = ("wall_seconds", "seconds_a_trial", "memory_mib", "disk_mib")


def main() -> None:
    """Plan, run, compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecasts", description=__doc__)
    parser.add_argument("--only", nargs="+", type=int, default=range(len(SEARCHES)))
    parser.add_argument("--seed", type=int, default=0, help="of every search")
    parser.add_argument("--short", action="store_true")
    asked = parser.parse_args()
    results = []
    for index, (name, words) in enumerate(SEARCHES.items()):
        if index in asked.only and not _lacks_data(words):
            results.append(_result(name, (*words, "--seed", str(asked.seed)), short=asked.short))
    for what in _ASKED:
        known = [result[what]["within"] for result in results if what in result]
        print(
            json.dumps(
                {
                    "name": f"searches whose {what} lay in its range, of {len(known)}",
                    "value": sum(known),
                    "unit": "",
                    "reference": 0.8 * len(known),
                    "ratio": sum(known) / max(0.8 * len(known), 1e-9),
                }
            )
        )


def _lacks_data(words: tuple[str, ...]) -> bool:
    here = Path(os.environ.get("NAS_DATA", "../shared/data"))
    return "cifar10-16" in words and not any(
        (here / name).exists() for name in ("cifar-10-batches-py", "cifar-10-python.tar.gz")
    )


def _result(name: str, words: tuple[str, ...], *, short: bool) -> dict[str, Any]:
    """One line: load of the machine, and each range with what came."""
    with tempfile.TemporaryDirectory(prefix="forecasts-") as base:
        folder = Path(base) / "study"
        common = (*words, "--out", str(folder))
        load = os.getloadavg()[0]
        foreseen: dict[str, Any] | None = None
        if not short:
            foreseen = json.loads(_nas("plan", *common, "--json"))
        _nas("search", *common)
        if foreseen is not None:
            (folder / "forecast.json").write_text(json.dumps(foreseen))
        status = json.loads(_nas("status", str(folder), "--json"))
    came = {
        one["name"]: {
            **{end: round(one["foreseen"][end], 3) for end in ("low", "likely", "high")},
            "actual": round(one["actual"], 3),
            "within": one["within"],
        }
        for one in status["forecast"]
    }
    result = {"search": name, "load": [round(load, 1), round(os.getloadavg()[0], 1)], **came}
    print(json.dumps(result), flush=True)
    return result


def _nas(*words: str) -> str:
    command = [sys.executable, "-m", "nas", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"nas {' '.join(words)} ended with {done.returncode}: {done.stderr[-500:]}")
    return done.stdout


if __name__ == "__main__":
    main()
