"""What retrain and transfer share at the command line: words, and how results are told."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.full_size.retrain import Retrained
    from nas.full_size.trainings import Place
    from nas.full_size.transfer import Transferred
    from nas.full_size.wish import Wish
    from nas.training.computation import Precision


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


def place_of(
    *,
    runner: str | None = None,
    workers: int,
    gpus_per_worker: float | None,
    sync_batch_norm: bool,
    address: str | None,
    device: str,
    threads: int | None,
) -> Place:
    """Where trainings run: in this process, or on Ray where there are several workers or the runner
    is called so."""
    from nas.errors import SettingsError, known_names
    from nas.full_size.trainings import Here
    from nas.registry import load
    from nas.training.computation import chosen_device

    if runner not in (None, "local", "ray"):
        raise SettingsError(known_names(runner, ("local", "ray"), "runner of trainings"))
    if runner == "local" and workers > 1:
        raise SettingsError(
            f"{workers} workers train a network together on Ray: leave out --runner local"
        )
    if workers == 1 and runner != "ray":
        words = {
            "--gpus-per-worker": gpus_per_worker,
            "--address": address,
            "--sync-batch-norm": sync_batch_norm,
        }
        for word, value in words.items():
            if value not in (None, False):
                raise SettingsError(f"{word} is for trainings on Ray: add --workers 2 or more")
        return Here()
    if device not in ("auto", "cpu", "cuda"):
        raise SettingsError(
            f"--device is {device}, but Ray gives each worker a device of its own: say cpu or cuda"
        )
    gpus = (
        float(chosen_device(device).startswith("cuda"))
        if gpus_per_worker is None
        else gpus_per_worker
    )
    place: Place = load("place", "ray-train")(
        workers=workers,
        threads=threads or 1,
        gpus_per_worker=gpus,
        sync_batch_norm=sync_batch_norm,
        address=address,
    )
    if gpus_per_worker and device == "cpu":
        raise SettingsError(
            f"--gpus-per-worker is {gpus_per_worker:g}, but --device is cpu: leave out one of the "
            "two"
        )
    return place


def notices(as_json: bool) -> Callable[[str], None]:
    """Where a place says what is about to happen."""
    return lambda text: None if as_json else print(f"trainings: {text}", file=sys.stderr)


def percent(values: Sequence[float]) -> str:
    """Mean and deviation of shares, as per cent."""
    from nas.full_size.retrain import spread

    found = spread("x", values)
    deviation = found["x_sd"]
    return f"{100 * (found['x_mean'] or 0):.2f} %" + (
        f" ± {100 * deviation:.2f}" if deviation is not None else ""
    )


def results_told(result: Retrained, folder: Path) -> Iterator[str]:
    """The ranking, the test accuracy of the first, and where everything lies."""
    for rank, entrant in enumerate(result.entrants, start=1):
        shares = [run.val_accuracy for run in entrant.runs]
        yield (
            f"{rank:>3}. {entrant.choice.title}: validation {percent(shares)} ({len(shares)} seeds)"
        )
    first = result.entrants[0].choice.title
    yield (
        f"test split, read once, for {first}: top-1 "
        f"{percent([test.top_1 for test in result.tests])}"
    )
    yield f"learning curves: {result.entrants[0].folder / 'curves.svg'}"
    yield f"weights: {result.entrants[0].best.file}"
    if result.exported is not None:
        yield f"exported and verified: {result.exported.folder}"
        network = shlex.quote(str(result.exported.folder))
        yield f"take it to larger data: nas transfer {network} --dataset image-folder:DIR"
    yield f"everything: {folder}"


def run_transfer(
    source: str, weights: Path | None, wish: Wish, out: Path | None, to: str | None, as_json: bool
) -> None:
    """Plan, run and tell a transfer."""
    from nas.exporting.choosing import choices
    from nas.full_size.transfer import transfer
    from nas.full_size.wish import planned

    has_body = wish.mode != "scratch" and wish.pretrain is None
    choice = choices(source, weights=weights, with_weights=has_body)[0]
    plan, arms = planned(choice, wish)

    def watch(arm: str, number: int, epoch: int, metrics: Mapping[str, float]) -> None:
        if not as_json:
            shown = f"loss {metrics['train_loss']:.4f}, validation {metrics['val_accuracy']:.4f}"
            print(f"{arm}, seed {number}, epoch {epoch}: {shown}", file=sys.stderr)

    folder = (
        out
        or Path("transferred") / f"{choice.name}-{Path(plan.setting.dataset.name).name}-{wish.mode}"
    )
    with wish.place.opened(folder, notices(as_json)):
        result = transfer(plan, arms, folder, watch, formats_of(to))
    if as_json:
        rows = [row.to_dict() for row in result.rows]
        print(
            json.dumps(
                {
                    "folder": str(folder),
                    "mode": wish.mode,
                    "arms": rows,
                    "weights": str(result.weights),
                }
            )
        )
    else:
        print("\n".join(transfer_told(result, folder)))


def formats_of(to: str | None) -> list[str] | None:
    """The formats of an export: None is all that can be written, `none` is none. Refused before the
    work, not after."""
    from nas.registry import resolve

    if to is None:
        return None
    formats = [] if to == "none" else [word.strip() for word in to.split(",") if word.strip()]
    for name in formats:
        resolve("exporter", name)
    return formats


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
        yield f"try it: nas predict {shlex.quote(str(result.exported.folder))} PICTURE"
    yield f"everything: {folder}"
