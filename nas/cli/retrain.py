"""`nas retrain`: the winner from scratch, at full size, with several seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from nas.cli._training_options import takes_training_options


@takes_training_options
def command(
    words: Mapping[str, Any],
    source: Annotated[
        str,
        typer.Argument(
            metavar="GENOTYPE|STUDY", help="A study's folder, an exported folder, or a genotype."
        ),
    ],
    preset: Annotated[
        str | None,
        typer.Option(help="Recipe and skeleton to begin with (default: what fits the data)."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many trainings of each genotype.")] = 3,
    top: Annotated[
        int, typer.Option(min=1, help="Retrain the best so many of a study and rank them.")
    ] = 1,
    front: Annotated[
        bool,
        typer.Option(
            "--front",
            help="Retrain all on the front of a study with --objectives; draw their test accuracy.",
        ),
    ] = False,
) -> None:
    """Train from scratch at full size with several seeds; read the test split once, at the end;
    export.

    A study is retrained on what it was searched on. `--set recipe.epochs=100` and `--set
    skeleton.filters=36` change the preset. Run the same command again to resume.
    """
    import json

    from nas.cli._exporting import refuse_beside_front
    from nas.cli._genotypes import parts_of
    from nas.cli._tracking import tracked
    from nas.cli._training import Epochs, notices, results_told
    from nas.cli._training_options import data_of, machine_of
    from nas.exporting.known import formats_of
    from nas.full_size.retrain import legs, retrain
    from nas.full_size.wish import RetrainWish, retraining_of, usual_folder

    if front:
        refuse_beside_front(top)
    wish = RetrainWish(
        data=data_of(words),
        machine=machine_of(words),
        preset=preset,
        top=top,
        front=front,
        settings=parts_of(words["settings"], ("skeleton", "recipe")),
    )
    formats, as_json = formats_of(words["to"]), words["as_json"]
    setting, entrants = retraining_of(source, wish)
    folder = words["out"] or usual_folder(entrants, setting)
    numbers = range(words["seed"], words["seed"] + seeds)
    with (
        tracked(folder, words["track"]),
        Epochs(legs(entrants, setting, folder, numbers), quiet=as_json) as epochs,
        setting.place.opened(folder, notices(as_json)),
    ):
        result = retrain(
            entrants,
            setting,
            folder,
            seeds=numbers,
            watch=lambda choice, *epoch: epochs.show(choice.name, *epoch),
            formats=formats,
            front=front,
        )
    print(json.dumps(result.to_dict()) if as_json else "\n".join(results_told(result, folder)))
