"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a study.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
To = Annotated[
    str | None,
    typer.Option(help="Formats of the winner's export (default: python,json,svg and, where installed, onnx), or none."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PART.OPTION=VALUE", help="Any option of any part, say strategy.population=50."),
]
