"""`nas transfer`: a cell on larger data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli._training_options import takes_training_options

_BODY = "Body"


@takes_training_options
def command(
    words: Mapping[str, Any],
    source: Annotated[
        str,
        typer.Argument(
            metavar="GENOTYPE|STUDY|EXPORT", help="A genotype, a study's or an export's folder."
        ),
    ],
    preset: Annotated[str, typer.Option(help="imagenet-mobile, imagenet-large or fit.")] = "fit",
    mode: Annotated[str, typer.Option(help="scratch, features or finetune.")] = "scratch",
    target_macs: Annotated[
        int | None, typer.Option(help="The widest network with so many multiply-adds.")
    ] = None,
    target_params: Annotated[
        int | None, typer.Option(help="The widest network with so many parameters.")
    ] = None,
    within: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            help="Stems so wide that all arms' multiply-adds agree within so many per cent.",
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Weights of the body.", rich_help_panel=_BODY)
    ] = None,
    pretrain: Annotated[
        str | None, typer.Option(help="Train the body on this first.", rich_help_panel=_BODY)
    ] = None,
    pretrain_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="PIXELS",
            help="Side of the pictures it learns from (default: as they are).",
            rich_help_panel=_BODY,
        ),
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
    cells: Annotated[
        Path | None, typer.Option(metavar="FILE", help="More cells beside it, a line each.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many trainings of each arm.")] = 1,
) -> None:
    """Take a cell to larger data: from scratch, on features of a frozen body, or with its last
    cells opened.

    `--set recipe.epochs=30`, `--set skeleton.cells_per_stage=3` and `--set pretrain.epochs=10`
    change the presets. Run the same command again to resume.
    """
    from nas.cli._genotypes import parts_of
    from nas.cli._tracking import tracked
    from nas.cli._training import Epochs, notices, print_transferred
    from nas.cli._training_options import data_of, machine_of
    from nas.exporting.known import formats_of
    from nas.full_size.transfer import legs, transfer
    from nas.full_size.wish import TransferWish, transfer_of
    from nas.registry import allow

    allow(pretrain)

    wish = TransferWish(
        data=data_of(words),
        machine=machine_of(words),
        preset=preset,
        mode=mode,
        target_macs=target_macs,
        target_params=target_params,
        within=within,
        pretrain=pretrain,
        pretrain_size=pretrain_size,
        bodies=bodies,
        open_cells=open_cells,
        pace=pace,
        controls=tuple(word.strip() for word in (controls or "").split(",") if word.strip()),
        cells=cells,
        seeds=tuple(range(words["seed"], words["seed"] + seeds)),
        settings=parts_of(words["settings"], ("skeleton", "recipe", "pretrain")),
    )
    formats, as_json = formats_of(words["to"]), words["as_json"]
    plan, arms = transfer_of(source, weights, wish)
    folder = words["out"] or Path("transferred") / plan.name_of(arms)
    with (
        tracked(folder, words["track"]),
        Epochs(legs(plan, arms, folder), quiet=as_json) as epochs,
        plan.setting.place.opened(folder, notices(as_json)),
    ):
        result = transfer(plan, arms, folder, epochs.show, formats)
    print_transferred(result, folder, mode, as_json=as_json)
