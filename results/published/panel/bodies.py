"""What the winner and two controls came to as bodies: writes bodies.json and prints the tables.

python results/published/panel/bodies.py OUT
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

from scipy.stats import t as student

HERE = Path(__file__).parent
ARMS = ("searched", "random-1", "resnet")
PLACES = {
    "imagenette-128": ("imagenette-128-features", "imagenette-128-finetune"),
    "imagenette-128, bodies at 64x64": ("imagenette-128-features-64", "imagenette-128-finetune-64"),
    "tiny-imagenet-100": ("tiny-imagenet-100-features", "tiny-imagenet-100-finetune"),
}
MODES = ("features", "finetune")


def main() -> None:
    out = Path(sys.argv[1])
    found = {}
    for pictures, folders in PLACES.items():
        for mode, folder in zip(MODES, folders, strict=True):
            if (out / folder / "result.json").exists():
                found[pictures, mode] = _top_1(out / folder)
    for (pictures, mode), arms in found.items():
        means = (f"{fmean(arms[arm]):.2f} ± {stdev(arms[arm]):.2f}" for arm in ARMS)
        against = (_told(arms["searched"], arms[control]) for control in ARMS[1:])
        print(f"| {pictures} | {mode} | {' | '.join([*means, *against])} |")
    for mode in MODES:
        small = found.get(("imagenette-128", mode))
        large = found.get(("imagenette-128, bodies at 64x64", mode))
        if small and large:
            for arm in ARMS:
                print(f"| {mode} | {arm} | {_told(large[arm], small[arm])} |")
    told = [
        {"pictures": pictures, "mode": mode, "test_top_1": arms}
        for (pictures, mode), arms in found.items()
    ]
    (HERE / "bodies.json").write_text(json.dumps(told, indent=1) + "\n")


def _top_1(folder: Path) -> dict[str, list[float]]:
    tests = json.loads((folder / "result.json").read_text())["test"]
    return {arm: [100 * test["top_1"] for test in tests[arm]] for arm in ARMS}


def _told(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The mean difference, paired by seed, with Student's 95 % interval."""
    gaps = [one - other for one, other in zip(ours, theirs, strict=True)]
    half = student.ppf(0.975, len(gaps) - 1) * stdev(gaps) / len(gaps) ** 0.5
    mean = fmean(gaps)
    return f"{mean:+.1f} ({mean - half:.1f} to {mean + half:.1f})"


if __name__ == "__main__":
    main()
