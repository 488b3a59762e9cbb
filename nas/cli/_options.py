"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a study.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
To = Annotated[
    str | None,
    typer.Option(
        help=(
            "Formats of the winner's export (default: python,json,svg and, where installed, "
            "onnx), or none."
        )
    ),
]
_RAY = "Several processes and machines"
Workers = Annotated[
    int,
    typer.Option(
        min=1,
        help="Processes that train each network together, through Ray Train.",
        rich_help_panel=_RAY,
    ),
]
GpusPerWorker = Annotated[
    float | None,
    typer.Option(
        help="GPUs of each worker (default: 1 where there is one here, else 0).",
        rich_help_panel=_RAY,
    ),
]
SyncBatchNorm = Annotated[
    bool,
    typer.Option(
        "--sync-batch-norm",
        help="Batch norms see the batch of all workers (GPUs).",
        rich_help_panel=_RAY,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Ray: auto or HOST:PORT (default: what runs here, else start one).",
        rich_help_panel=_RAY,
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
