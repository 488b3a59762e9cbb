"""Networks designed by hand, trained whole on CIFAR-10, beside the figures that are usually quoted.

    python results/published/references/train.py [--seeds 3] [--only resnet-18 ...]
    python results/published/references/train.py --small --device cpu       (noise, in seconds)

Needs torch, numpy and safetensors. Killed and begun again it goes on with the epoch it was in. The
test split is read once for the weights of a network, after its last epoch; `results.json` and
`table.md` in the folder of `--out` hold what is done so far.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from nas.full_size.judged_once import judged_once
from nas.full_size.settings import setting_of
from nas.full_size.trainings import Job, Setting, Trained, trained
from nas.seeding import torch_rng
from nas.study.store import write_whole
from nas.training.checkpoint import read_weights
from nas.training.computation import Precision
from nas.training.datasets import Dataset, open_dataset
from nas.training.recipe import Recipe
from nas.training.trainer import Data, Metrics
from search_spaces.references import build

# Test accuracy in percent as the table of such trainings has it that is usually quoted: 50,000
# training images, 200 epochs of SGD with a cosine schedule, batches of 128.
QUOTED: dict[str, float | None] = {
    "vgg-16": 92.64,
    "resnet-18": 93.02,
    "resnet-50": 93.62,
    "densenet-121": 95.04,
    "preact-resnet-18": 95.11,
    "googlenet": None,
    "mobilenet": None,
}
_RECIPE = Recipe(
    epochs=200,
    batch_size=128,
    learning_rate=0.1,
    nesterov=False,
    gradient_clip=0.0,
    crop="pad",
    flip=True,
)
_SMALL = {"epochs": 1, "batch_size": 8, "train_images": 16}
_TOO_DEEP = ("vgg-16",)  # for pictures of 8 pixels


def main() -> None:
    """Train what is not trained yet, and write the table after each."""
    asked = _asked()
    recipe = _RECIPE.changed({"epochs": asked.epochs} if asked.epochs else {})
    dataset = open_dataset("noise:8" if asked.small else "cifar10", asked.data_dir)
    precision: Precision = "fp32" if asked.small else "bf16"
    if asked.small:
        recipe = recipe.changed(_SMALL)
    setting = setting_of(dataset, recipe, device=asked.device, precision=precision)
    rows: list[dict[str, Any]] = []
    for name in asked.only or QUOTED:
        if asked.small and name in _TOO_DEEP:
            continue
        rows.append(_row(name, range(1, asked.seeds + 1), setting, asked.out / name))
        write_whole(asked.out / "results.json", json.dumps(rows, indent=2) + "\n")
        write_whole(asked.out / "table.md", _table(rows, setting))
    print((asked.out / "table.md").read_text(), end="")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(QUOTED), metavar="NETWORK")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each network")
    parser.add_argument("--epochs", type=int, help="in place of 200")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--data-dir", type=Path, help="where CIFAR-10 lies (else NAS_DATA)")
    parser.add_argument("--small", action="store_true", help="a few pictures of noise, in float32")
    parser.add_argument("--out", type=Path, default=Path("results/references"))
    return parser.parse_args()


def _row(name: str, seeds: Sequence[int], setting: Setting, folder: Path) -> dict[str, Any]:
    """All seeds of one network, trained and judged."""
    runs = [_trained(name, seed, setting, folder / f"seed-{seed}") for seed in seeds]
    trained_as = [f"{run.seed} {run.val_accuracy!r}" for run in runs]
    tests = judged_once(
        folder / "tested.json",
        belongs=lambda record: record.get("tested") == trained_as,
        tests=lambda record: record["test"],
        networks=[lambda run=run: _again(name, run, setting.dataset) for run in runs],
        setting=setting,
    )
    record = {"tested": trained_as, "test": [asdict(test) for test in tests]}
    write_whole(folder / "tested.json", json.dumps(record) + "\n")
    network = build(name, classes=setting.dataset.classes, device="meta")
    return {
        "network": name,
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "seeds": len(runs),
        "val_accuracy": [run.val_accuracy for run in runs],
        "test_accuracy": [test.top_1 for test in tests],
        "quoted": QUOTED[name],
        "seconds": sum(epoch["seconds"] for run in runs for epoch in run.curve),
    }


def _trained(name: str, seed: int, setting: Setting, folder: Path) -> Trained:
    classes, size = setting.dataset.classes, setting.dataset.image_size

    def make(_: Data) -> nn.Module:
        return build(name, classes=classes, image_size=size, generator=torch_rng(seed, "weights"))

    def watch(epoch: int, metrics: Metrics) -> None:
        said = f"{name}, seed {seed}: epoch {epoch} of {setting.recipe.epochs}"
        print(f"{said}, validation {100 * metrics['val_accuracy']:.2f} %", file=sys.stderr)

    facts = {**setting.facts(), "network": name, "seed": seed}
    return trained(
        Job(make=make, facts=facts, setting=setting, seed=seed, folder=folder, watch=watch)
    )


def _again(name: str, run: Trained, dataset: Dataset) -> nn.Module:
    network = build(name, classes=dataset.classes, image_size=dataset.image_size)
    network.load_state_dict(read_weights(run.file)[0])
    return network


def _table(rows: Sequence[dict[str, Any]], setting: Setting) -> str:
    recipe, data = setting.recipe, setting.dataset
    lines = [
        f"{data.name}, {recipe.epochs} epochs, batches of {recipe.batch_size}, "
        f"{setting.computation.precision} on {setting.computation.device}.",
        "",
        "| network | parameters | seeds | validation | test | quoted | minutes a training |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        quoted = "" if row["quoted"] is None else f"{row['quoted']:.2f}"
        lines.append(
            f"| {row['network']} | {row['parameters']:,} | {row['seeds']} | "
            f"{_percent(row['val_accuracy'])} | {_percent(row['test_accuracy'])} | {quoted} | "
            f"{row['seconds'] / row['seeds'] / 60:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _percent(shares: Sequence[float]) -> str:
    spread = f" ± {100 * statistics.stdev(shares):.2f}" if len(shares) > 1 else ""
    return f"{100 * statistics.fmean(shares):.2f}{spread}"


if __name__ == "__main__":
    main()
