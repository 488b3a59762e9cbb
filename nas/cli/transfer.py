"""`nas transfer`: a cell on larger data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli._options import Address, GpusPerWorker, Json, Set, SyncBatchNorm, Workers

_BODY, _MACHINE = "Body", "Machine"


def command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="GENOTYPE|STUDY|EXPORT", help="A genotype, a study's or an export's folder."
        ),
    ],
    dataset: Annotated[
        str, typer.Option(help="image-folder:DIR, or a name of `nas list datasets`.")
    ],
    preset: Annotated[str, typer.Option(help="imagenet-mobile, imagenet-large or fit.")] = "fit",
    mode: Annotated[str, typer.Option(help="scratch, features or finetune.")] = "scratch",
    target_macs: Annotated[
        int | None, typer.Option(help="The widest network with so many multiply-adds.")
    ] = None,
    target_params: Annotated[
        int | None, typer.Option(help="The widest network with so many parameters.")
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(help="Side of the images (default: the preset's).")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Weights of the body.", rich_help_panel=_BODY)
    ] = None,
    pretrain: Annotated[
        str | None, typer.Option(help="Train the body on this first.", rich_help_panel=_BODY)
    ] = None,
    bodies: Annotated[
        Path | None,
        typer.Option(help="Keep such bodies here, for other transfers too.", rich_help_panel=_BODY),
    ] = None,
    open_cells: Annotated[
        int, typer.Option(min=0, help="Cells that finetune opens.", rich_help_panel=_BODY)
    ] = 2,
    pace: Annotated[
        float, typer.Option(min=0, help="Their share of the rate.", rich_help_panel=_BODY)
    ] = 0.1,
    controls: Annotated[
        str | None, typer.Option(help="Arms beside it: random-cell,resnet.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many trainings of each arm.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    to: Annotated[
        str | None,
        typer.Option(help="Formats of the export, as in `nas export`; none for no export."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to work in.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where data sets lie.", rich_help_panel=_MACHINE)
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda or mps.", rich_help_panel=_MACHINE)
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Of the processor; of each worker.", rich_help_panel=_MACHINE),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="fp32 or bf16.", rich_help_panel=_MACHINE)
    ] = "fp32",
    workers: Workers = 1,
    gpus_per_worker: GpusPerWorker = None,
    sync_batch_norm: SyncBatchNorm = False,
    address: Address = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Take a cell to larger data: from scratch, on features of a frozen body, or with its last
    cells opened.

    `--set recipe.epochs=30`, `--set skeleton.cells_per_stage=3` and `--set pretrain.epochs=10`
    change the presets. Run the same command again to resume.
    """
    from nas.cli._genotypes import parts_of
    from nas.cli._training import place_of, precision_of, run_transfer
    from nas.full_size.wish import Wish

    place = place_of(
        workers=workers,
        gpus_per_worker=gpus_per_worker,
        sync_batch_norm=sync_batch_norm,
        address=address,
        device=device,
        threads=threads,
    )
    wish = Wish(
        dataset=dataset,
        preset=preset,
        mode=mode,
        target_macs=target_macs,
        target_params=target_params,
        image_size=image_size,
        pretrain=pretrain,
        bodies=bodies,
        open_cells=open_cells,
        pace=pace,
        controls=tuple(word.strip() for word in (controls or "").split(",") if word.strip()),
        seeds=tuple(range(seed, seed + seeds)),
        data_dir=data_dir,
        device=device,
        threads=threads,
        precision=precision_of(precision),
        settings=parts_of(settings, ("skeleton", "recipe", "pretrain")),
        place=place,
    )
    run_transfer(source, weights, wish, out, to, as_json)
