"""`nas retrain`: the winner from scratch, at full size, with several seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli._options import Address, GpusPerWorker, Json, Set, SyncBatchNorm, Workers


def command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="GENOTYPE|STUDY", help="A study's folder, an exported folder, or a genotype."
        ),
    ],
    dataset: Annotated[
        str | None, typer.Option(help="What to train on (default: by the preset).")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="Recipe and skeleton to begin with.")
    ] = "cifar10-final",
    seeds: Annotated[int, typer.Option(min=1, help="How many trainings of each genotype.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    top: Annotated[
        int, typer.Option(min=1, help="Retrain the best so many of a study and rank them.")
    ] = 1,
    to: Annotated[
        str | None,
        typer.Option(help="Formats of the export, as in `nas export`; none for no export."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to work in.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where data sets lie.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Of an image folder.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads; of each worker.")
    ] = None,
    precision: Annotated[str, typer.Option(help="fp32 or bf16.")] = "fp32",
    runner: Annotated[
        str | None, typer.Option(help="local, or ray: as many trainings at once as fit.")
    ] = None,
    workers: Workers = 1,
    gpus_per_worker: GpusPerWorker = None,
    sync_batch_norm: SyncBatchNorm = False,
    address: Address = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Train from scratch at full size with several seeds; read the test split once, at the end;
    export.

    `--set recipe.epochs=100` and `--set skeleton.filters=36` change the preset. Run the same
    command again to resume.
    """
    import json
    import sys

    from nas.cli._genotypes import parts_of
    from nas.cli._training import (
        dataset_of_preset,
        formats_of,
        notices,
        place_of,
        precision_of,
        results_told,
    )
    from nas.exporting.choosing import choices
    from nas.full_size.retrain import retrain
    from nas.full_size.settings import full_size, setting_of
    from nas.training.datasets import open_dataset

    given = parts_of(settings, ("skeleton", "recipe"))
    data = open_dataset(dataset or dataset_of_preset(preset), data_dir, image_size=image_size)
    found = choices(source, top, with_weights=False)
    sized = [
        full_size(each, data, preset, given.get("skeleton", {}), given.get("recipe", {}))
        for each in found
    ]
    place = place_of(
        runner=runner,
        workers=workers,
        gpus_per_worker=gpus_per_worker,
        sync_batch_norm=sync_batch_norm,
        address=address,
        device=device,
        threads=threads,
    )
    setting = setting_of(
        data,
        sized[0][1],
        device=device,
        threads=threads,
        precision=precision_of(precision),
        place=place,
    )
    entrants = [(choice, skeleton) for choice, (skeleton, _) in zip(found, sized, strict=True)]

    def watch(choice: Any, number: int, epoch: int, metrics: Any) -> None:
        if not as_json:
            shown = f"loss {metrics['train_loss']:.4f}, validation {metrics['val_accuracy']:.4f}"
            print(f"{choice.name}, seed {number}, epoch {epoch}: {shown}", file=sys.stderr)

    folder = out or Path("retrained") / found[0].name
    numbers = range(seed, seed + seeds)
    with place.opened(folder, notices(as_json)):
        result = retrain(
            entrants, setting, folder, seeds=numbers, watch=watch, formats=formats_of(to)
        )
    print(json.dumps(result.to_dict()) if as_json else "\n".join(results_told(result, folder)))
