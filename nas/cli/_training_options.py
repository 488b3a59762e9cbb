"""What a training at full size is told on the command line: one list of options, for every verb
that trains what a search found."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli._options import DataDir, ImageSize, Json, Set, SkipCorrupt, Trust
from nas.cli._tracking import Track

if TYPE_CHECKING:
    from nas.full_size.data import DataWish
    from nas.full_size.machine import Machine

_DATA, _MACHINE, _RAY = "Data", "Machine", "Several processes and machines"


def takes_training_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options of a training; its function receives them first, by their names."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    shared = list(inspect.signature(_options, eval_str=True).parameters.values())

    @wraps(command)
    def run(**words: Any) -> None:
        command({option.name: words.pop(option.name) for option in shared}, **words)

    run.__signature__ = inspect.Signature(own + shared)  # type: ignore[attr-defined]
    return run


def data_of(words: Mapping[str, Any]) -> DataWish:
    """What is trained on, as far as the user says."""
    from nas.full_size.data import DataWish
    from nas.registry import allow

    allow(words["dataset"])
    return DataWish(**{field.name: words[field.name] for field in fields(DataWish)})


def machine_of(words: Mapping[str, Any]) -> Machine:
    """What it is computed on."""
    from nas.full_size.machine import Machine

    return Machine(**{field.name: words[field.name] for field in fields(Machine)})


def _options(
    dataset: Annotated[
        str | None,
        typer.Option(
            help="image-folder:DIR, or a name of `nas list datasets` (default: the study's).",
            rich_help_panel=_DATA,
        ),
    ] = None,
    data_dir: DataDir = None,
    image_size: ImageSize = None,
    skip_corrupt: SkipCorrupt = False,
    trust: Trust = False,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    to: Annotated[
        str | None,
        typer.Option(help="Formats of the export, as in `nas export`; none for no export."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to work in.")] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.", rich_help_panel=_MACHINE)
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Processor threads; of each worker.", rich_help_panel=_MACHINE),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="fp32 or bf16.", rich_help_panel=_MACHINE)
    ] = "fp32",
    runner: Annotated[
        str | None,
        typer.Option(
            help="local, or ray: trainings on a Ray cluster (of retrain, as many at once as fit).",
            rich_help_panel=_RAY,
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            min=1,
            help="Processes that train each network together, through Ray Train.",
            rich_help_panel=_RAY,
        ),
    ] = 1,
    gpus_per_worker: Annotated[
        float | None,
        typer.Option(
            help="GPUs of each worker (default: 1 where there is one here, else 0).",
            rich_help_panel=_RAY,
        ),
    ] = None,
    sync_batch_norm: Annotated[
        bool,
        typer.Option(
            "--sync-batch-norm",
            help="Batch norms see the batch of all workers (GPUs).",
            rich_help_panel=_RAY,
        ),
    ] = False,
    address: Annotated[
        str | None,
        typer.Option(
            help="Ray: auto or HOST:PORT (default: what runs here, else start one).",
            rich_help_panel=_RAY,
        ),
    ] = None,
    track: Track = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """The options, for their names, kinds and help texts."""
