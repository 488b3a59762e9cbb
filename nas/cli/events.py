"""`nas events`: the log, as it grows."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer

from nas.cli._options import Folder, Json

_SECONDS_BETWEEN_LOOKS = 0.5


def command(
    folder: Folder,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for more until the study finishes.")
    ] = False,
    tail: Annotated[
        int | None, typer.Option("--tail", "-n", min=0, help="Begin with the last N events.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the events of a study, one a line; --follow waits for more."""
    from collections import deque

    from nas.cli._words import described
    from nas.search.plan import read_study_json
    from nas.search.reading import events_of

    read_study_json(folder)
    shown, ended = -1, False  # where the last event shown begins
    while True:
        events = events_of(folder, max(shown, 0))
        fresh = deque((entry for entry in events if entry[0] > shown), maxlen=tail)
        tail = None
        for offset, event in fresh:
            print(json.dumps(event) if as_json else described(event), flush=True)
            shown = offset
            ended = event["event"] == "finished" or (
                ended and event["event"] not in ("started", "extended")
            )
        if not follow or ended:
            return
        time.sleep(_SECONDS_BETWEEN_LOOKS)
