"""What retrain and transfer share at the command line: words, and how results are told."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.retraining.run import Retrained
    from nas.training.computation import Precision
    from nas.transferring.planning import Wish
    from nas.transferring.run import Transferred


def dataset_of_preset(preset: str) -> str:
    """The dataset that a preset's name begins with (`cifar10-final`)."""
    from nas.errors import NasError
    from nas.registry import names
    from nas.training.recipe import preset as known

    known(preset)
    for name in sorted(names("dataset"), key=len, reverse=True):
        if preset.startswith(name):
            return name
    raise NasError(f"preset {preset!r} names no dataset; say which with --dataset")


def precision_of(word: str) -> Precision:
    """The precision of this name."""
    from nas.errors import SettingsError, known_names

    if word == "fp32":
        return "fp32"
    if word == "bf16":
        return "bf16"
    raise SettingsError(known_names(word, ("fp32", "bf16"), "precision"))


def percent(values: Sequence[float]) -> str:
    """Mean and deviation of shares, as per cent."""
    from nas.retraining.run import spread

    found = spread("x", values)
    deviation = found["x_sd"]
    return f"{100 * (found['x_mean'] or 0):.2f} %" + (f" ± {100 * deviation:.2f}" if deviation is not None else "")


def results_told(result: Retrained, folder: Path) -> Iterator[str]:
    """The ranking, the test accuracy of the first, and where everything lies."""
    for rank, entrant in enumerate(result.entrants, start=1):
        shares = [run.val_accuracy for run in entrant.runs]
        yield f"{rank:>3}. {entrant.choice.title}: validation {percent(shares)} ({len(shares)} seeds)"
    first = result.entrants[0].choice.title
    yield f"test split, read once, for {first}: top-1 {percent([test.top_1 for test in result.tests])}"
    yield f"learning curves: {result.entrants[0].folder / 'curves.svg'}"
    yield f"weights: {result.entrants[0].best.file}"
    if result.exported is not None:
        yield f"exported and verified: {result.exported.folder}"
        yield f"take it to larger data: nas transfer {result.exported.folder} --dataset image-folder:DIR"
    yield f"everything: {folder}"


def run_transfer(
    source: str, weights: Path | None, wish: Wish, out: Path | None, to: str | None, as_json: bool
) -> None:
    """Plan, run and tell a transfer."""
    from nas.exporting.choosing import choices
    from nas.transferring.planning import planned
    from nas.transferring.run import transfer

    choice = choices(source, weights=weights)[0]
    plan, arms = planned(choice, wish)

    def watch(arm: str, number: int, epoch: int, metrics: Mapping[str, float]) -> None:
        if not as_json:
            shown = f"loss {metrics['train_loss']:.4f}, validation {metrics['val_accuracy']:.4f}"
            print(f"{arm}, seed {number}, epoch {epoch}: {shown}", file=sys.stderr)

    place = out or Path("transferred") / f"{choice.name}-{Path(plan.setting.dataset.name).name}-{wish.mode}"
    result = transfer(plan, arms, place, watch, formats_of(to))
    if as_json:
        rows = [row.to_dict() for row in result.rows]
        print(json.dumps({"folder": str(place), "mode": wish.mode, "arms": rows, "weights": str(result.weights)}))
    else:
        print("\n".join(transfer_told(result, place)))


def formats_of(to: str | None) -> list[str] | None:
    """The formats of an export: None is all that can be written, `none` is none."""
    if to is None:
        return None
    return [] if to == "none" else [word.strip() for word in to.split(",") if word.strip()]


def transfer_told(result: Transferred, folder: Path) -> Iterator[str]:
    """A row per arm, and where everything lies."""
    from nas.cli._portraits import table

    shown = {"params": "params", "macs": "macs"}
    yield from table(
        [
            {
                "arm": row.name,
                **{name: getattr(row, field) for name, field in shown.items()},
                "validation %": row.percent("validation"),
                "test top-1 %": row.percent("top_1"),
                "test top-5 %": row.percent("top_5"),
            }
            for row in result.rows
        ]
    )
    yield f"report: {result.report}"
    yield f"weights, for --weights of every command: {result.weights}"
    if result.exported is not None:
        yield f"exported and verified: {result.exported.folder}"
        yield f"try it: nas predict {result.exported.folder} PICTURE"
    yield f"everything: {folder}"
