"""`nas search`: launch a search, or continue the same one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.cli._options import Json, To
from nas.cli._search_options import takes_search_options
from nas.cli._tracking import Track


@takes_search_options()
def command(
    tree: Mapping[str, Any], to: To = None, track: Track = None, as_json: Json = False
) -> None:
    """Search: draw, judge, remember; ends by naming and exporting the winner. The same command
    again continues it."""
    from nas.cli._running import run_and_report
    from nas.search.words import assignment

    run_and_report(assignment(tree), as_json=as_json, to=to, track=track)
