"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a study.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="Run the code outside this package that the study names: I know its author."
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        help=(
            "Formats of the winner's export (default: those written within seconds), as in "
            "`nas export`, or none."
        )
    ),
]
_DATA = "Data"
DataDir = Annotated[Path | None, typer.Option(help="Where data sets lie.", rich_help_panel=_DATA)]
ImageSize = Annotated[
    int | None, typer.Option(min=1, help="Side of the images of a folder.", rich_help_panel=_DATA)
]
SkipCorrupt = Annotated[
    bool,
    typer.Option(
        "--skip-corrupt",
        help="Leave out pictures that cannot be decoded.",
        rich_help_panel=_DATA,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PART.OPTION=VALUE",
        help="Any option of any part, say strategy.population=50.",
    ),
]
