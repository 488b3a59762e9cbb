"""`nas dashboard`: a study in the browser."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli._options import Folder, Trust


def command(
    folder: Folder,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes any free one.")
    ] = 8080,
    trust: Trust = False,
) -> None:
    """Show a study in the browser with optuna-dashboard, whatever its strategy; it follows a
    running search."""
    from contextlib import suppress

    from nas.reports.dashboard import HOST, Mirror, serve

    mirror = Mirror(folder, trust=trust)
    mirror.update()
    with serve(mirror, port) as server:
        print(
            (
                f"{folder} at http://{HOST}:{server.server_port}/dashboard (this machine only; "
                "Ctrl-C "
                "ends it)"
            ),
            flush=True,
        )
        with suppress(KeyboardInterrupt):
            server.serve_forever()
