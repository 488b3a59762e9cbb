"""`nas search`: launch a search, or continue the same one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from nas.cli._options import Json, To
from nas.cli._search_options import takes_search_options
from nas.cli._tracking import Track

_CONFIRMED = "The end of a cheap search"


@takes_search_options()
def command(
    tree: Mapping[str, Any],
    to: To = None,
    track: Track = None,
    confirm: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Let another judge choose the winner among so many of the best.",
            rich_help_panel=_CONFIRMED,
        ),
    ] = None,
    confirm_evaluator: Annotated[
        str,
        typer.Option(
            help="Who that is; its own options are set as confirm.OPTION.",
            rich_help_panel=_CONFIRMED,
        ),
    ] = "train",
    as_json: Json = False,
) -> None:
    """Search: draw, judge, remember; ends by naming and exporting the winner. The same command
    again continues it."""
    from nas.cli._running import run_and_report
    from nas.search.words import assignment

    if confirm is None:
        run_and_report(assignment(tree), as_json=as_json, to=to, track=track)
        return

    from nas.search.confirming import came_to, confirmation

    todo = assignment({name: table for name, table in tree.items() if name != "confirm"})
    run_and_report(todo, as_json=as_json, track=track, whole=False)
    searched = came_to(todo)
    if not as_json:
        print(*_searched(todo.plan.evaluator.name, searched, confirm, confirm_evaluator), sep="\n")
    again = confirmation(todo, tree, confirm, confirm_evaluator)
    run_and_report(again, as_json=as_json, to=to, beside={"searched": searched})


def _searched(judge: str, searched: Mapping[str, Any], top: int, other: str) -> list[str]:
    return [
        f"searched: {searched['trials']:,} trials judged by {judge} in "
        f"{searched['cost_seconds']:.3g} s, in {searched['folder']}",
        *([f"audit: {searched['audit']}"] if searched["audit"] else []),
        f"confirmed: the best {top} are judged by {other}, which chooses",
    ]
