"""Tables of the transfers: python results/transfer/summarise.py TRANSFERS [OUT].

Reads TRANSFERS/PICTURES/MODE as `run.sh` leaves them, as many as there are, and writes README.md
and results.json beside this file (or to OUT).
"""

import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nas.full_size.controls import ResidualNetwork
from search_spaces.cells.cost import cost, cost_of
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton

MODES = ("scratch", "features", "finetune")
COLUMNS = ("validation", "top_1", "top_5")
CONTROLS = ("random-cell", "resnet")
ENOUGH = 5  # seeds below which nothing is concluded
ABOUT = """\
The cell was searched on digits of 8x8 pixels (the best of 22 trials, `searched-on-digits.json`). Here it is taken
to Imagenette (10 classes) and to 100 classes of Tiny ImageNet, all pictures at 32x32, beside one random cell of
the same space and a plain residual network, which have at most its multiply-adds. All arms share data, recipe and
seeds; the test split was read once, after all trainings. `scratch` trains everything; `features` and `finetune`
begin with bodies trained on 3,000 images of CIFAR-10. One thread of a shared two-core machine; `run.sh` has the
commands, `summarise.py` wrote this page and `results.json`, which holds every seed."""
CAVEATS = """\
- The comparisons are not independent: seeds, bodies and the one random cell are shared by all of them. Another random
  cell may do better or worse, so nothing follows for random cells in general.
- Networks of some 30,000 weights after three epochs of 3,000 pictures are far below what these data allow; chance is
  10 per cent on Imagenette and 1 per cent on 100 classes."""


def parts(transfers: Path) -> Iterator[dict[str, Any]]:
    """Every finished (pictures, mode), with the accuracies of each arm seed by seed, as per
    cent."""
    for pictures in sorted({file.parents[1] for file in transfers.glob("*/*/result.json")}):
        for mode in MODES:
            folder = pictures / mode
            if (folder / "result.json").exists():
                plan = json.loads((folder / "transfer.json").read_text())
                result = json.loads((folder / "result.json").read_text())
                yield {
                    "pictures": pictures.name,
                    "mode": mode,
                    "data": plan["data"],
                    "seeds": result["seeds"],
                    "recipe": plan["recipe"],
                    "arms": [arm_of(arm, result) for arm in plan["arms"]],
                }


def arm_of(arm: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """What an arm costs and how good each of its seeds was."""
    tests = result["test"][arm["name"]]
    skeleton = Skeleton(**arm["skeleton"])
    if arm["genotype"] is None:
        side = skeleton.image_size
        spent = cost_of(ResidualNetwork(arm["filters"], skeleton), (skeleton.channels, side, side))
    else:
        spent = cost(Genotype.from_dict(arm["genotype"]), skeleton)
    shares = {
        "validation": result["validation"][arm["name"]],
        "top_1": [test["top_1"] for test in tests],
        "top_5": [test["top_5"] for test in tests],
    }
    accuracies = {
        name: [round(100 * share, 3) for share in found] for name, found in shares.items()
    }
    return {"arm": arm["name"], "params": spent.params, "macs": spent.macs, **accuracies}


def differences(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Test top-1 of the searched cell minus that of each control, seed by seed."""
    arms = {arm["arm"]: arm for arm in part["arms"]}
    for control in CONTROLS:
        if control in arms:
            pairs = zip(arms["searched"]["top_1"], arms[control]["top_1"], strict=True)
            values = [round(ours - theirs, 3) for ours, theirs in pairs]
            yield {
                "pictures": part["pictures"],
                "mode": part["mode"],
                "searched minus": control,
                "top_1": values,
            }


def spread(values: list[float], sign: str = "") -> str:
    """Mean and standard deviation."""
    shown = f"{statistics.fmean(values):{sign}.2f}"
    return shown if len(values) < 2 else f"{shown} ± {statistics.stdev(values):.2f}"


def text(found: list[dict[str, Any]], compared: list[dict[str, Any]]) -> str:
    """The page."""
    seeds = min(len(part["seeds"]) for part in found)
    return "\n".join(
        (
            "# A searched cell on larger pictures",
            "",
            ABOUT,
            "",
            f"Mean ± standard deviation over {seeds} seeds, in per cent:",
            "",
            "| pictures | mode | arm | params | macs | validation | test top-1 | test top-5 |",
            "|---|---|---|---:|---:|---:|---:|---:|",
            *table(found),
            "",
            "Searched cell minus control, points of test top-1, paired by seed:",
            "",
            "| pictures | mode | minus random cell | minus residual network |",
            "|---|---|---:|---:|",
            *paired(found, compared),
            "",
            "## What it shows, and what it does not",
            *reading(found, compared, seeds),
            "",
            "Recipe: "
            f"{', '.join(f'{name} {value}' for name, value in found[0]['recipe'].items())}.",
            "",
        )
    )


def table(found: list[dict[str, Any]]) -> Iterator[str]:
    for part in found:
        for arm in part["arms"]:
            accuracies = " | ".join(spread(arm[name]) for name in COLUMNS)
            costs = f"{arm['params']:,} | {arm['macs']:,}"
            yield f"| {part['pictures']} | {part['mode']} | {arm['arm']} | {costs} | {accuracies} |"


def paired(found: list[dict[str, Any]], compared: list[dict[str, Any]]) -> Iterator[str]:
    for part in found:
        place = (part["pictures"], part["mode"])
        values = {
            each["searched minus"]: each["top_1"]
            for each in compared
            if place == (each["pictures"], each["mode"])
        }
        cells = " | ".join(spread(values[name], "+") if name in values else "" for name in CONTROLS)
        yield f"| {place[0]} | {place[1]} | {cells} |"


def reading(
    found: list[dict[str, Any]], compared: list[dict[str, Any]], seeds: int
) -> Iterator[str]:
    if seeds < ENOUGH:
        yield (
            f"- **{seeds} seeds cannot prove a difference.** Each deviation is of {seeds} "
            "values: a look, no test."
        )
    for control in CONTROLS:
        means = [
            statistics.fmean(each["top_1"])
            for each in compared
            if each["searched minus"] == control
        ]
        ahead = sum(mean > 0 for mean in means)
        yield (
            f"- The searched cell's mean is above that of {control} in {ahead} of {len(means)} "
            "comparisons."
        )
    for pictures in dict.fromkeys(part["pictures"] for part in found):
        best = {
            part["mode"]: statistics.fmean(part["arms"][0]["top_1"])
            for part in found
            if part["pictures"] == pictures
        }
        ranked = ", ".join(
            f"{mode} {mean:.1f}" for mode, mean in sorted(best.items(), key=lambda entry: -entry[1])
        )
        yield f"- {pictures}, the searched cell by mode: {ranked} per cent of test top-1."
    macs = {arm["arm"]: arm["macs"] for arm in found[0]["arms"]}
    more = [
        f"{100 * (macs['searched'] / macs[name] - 1):.0f} % more than {name}"
        for name in CONTROLS
        if name in macs
    ]
    yield (
        "- Widths are whole numbers, so the searched network has multiply-adds to its favour: "
        f"{', '.join(more)}."
    )
    yield CAVEATS
    missing = [
        f"{name} {mode}"
        for name in dict.fromkeys(part["pictures"] for part in found)
        for mode in MODES
        if not any((part["pictures"], part["mode"]) == (name, mode) for part in found)
    ]
    if missing:
        yield f"- Not run (yet): {', '.join(missing)}."


def main() -> None:
    transfers, out = (
        Path(sys.argv[1]),
        Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent,
    )
    found = list(parts(transfers))
    if not found:
        sys.exit(f"{transfers} holds no finished transfer; run run.sh first")
    compared = [each for part in found for each in differences(part)]
    record = {"parts": found, "differences": compared}
    (out / "results.json").write_text(json.dumps(record, indent=1) + "\n")
    (out / "README.md").write_text(text(found, compared))


if __name__ == "__main__":
    main()
