"""`nas track`: show a study in somebody else's tracker, after it or while it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli._options import Folder, Json, Set, Trust


def command(
    folder: Folder,
    to: Annotated[
        str,
        typer.Option(
            metavar="TRACKER", help="tensorboard[:FOLDER], mlflow[:URI] or wandb[:PROJECT]."
        ),
    ],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for more, until Ctrl-C.")
    ] = False,
    until_told: Annotated[bool, typer.Option("--until-told", hidden=True)] = False,
    settings: Set = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Show a study, a comparison, a retraining or a transfer in a tracker: one run each, below it
    one a trial.

    What the tracker has is not sent again; nothing in the folder changes.
    """
    import json

    from nas.cli._tracking import follower_of, more_until, shown
    from nas.errors import NasError

    follower = follower_of(folder, to, settings, trust=trust, must_exist=not until_told)
    try:
        follower.follow(more_until(follow=follow, until_told=until_told))
    except KeyboardInterrupt:  # of --follow, which has no other end
        if not follow:
            raise
    finally:
        follower.close()
    if follower.trouble is not None:
        raise NasError(f"{follower.trouble}: nothing is lost, give the command again later")
    if as_json:
        print(json.dumps({"folder": str(folder), "to": to, **shown(follower.told)}))
    elif follower.told.where or not until_told:
        from nas.errors import counted

        told = follower.told
        print(f"{counted(told.runs, 'run')} added to {to}: {told.where or 'nothing has begun'}")
