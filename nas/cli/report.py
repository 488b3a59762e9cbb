"""`nas report`: what a comparison came to."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from nas.cli._options import Json


def command(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Comparisons, studies, or folders of them."),
    ],
    out: Annotated[Path | None, typer.Option(help="Where to write (default: into DIR).")] = None,
    margin: Annotated[
        float | None, typer.Option(min=0.0, help="Differences below this count as none.")
    ] = None,
    target: Annotated[float | None, typer.Option(help="The score whose reaching is timed.")] = None,
    band: Annotated[
        Literal["quartiles", "interval"], typer.Option(help="Around medians, or 95 % around means.")
    ] = "quartiles",
    as_json: Json = False,
) -> None:
    """Report on studies: report.html, report.json, report.md, trials.csv and figures/; the sentence
    first."""
    from nas.errors import SettingsError

    for word, value in (("--margin", margin), ("--target", target)):
        if value is not None and not math.isfinite(value):
            raise SettingsError(f"{word} is {value}: expected a number")
    report_and_print(folders, out, margin, target, band, as_json=as_json)


def report_and_print(
    folders: list[Path],
    out: Path | None = None,
    margin: float | None = None,
    target: float | None = None,
    band: str = "quartiles",
    *,
    as_json: bool,
) -> None:
    """Write the report and say what it says."""
    from nas.reports.as_json import tree
    from nas.reports.extras import lacking
    from nas.reports.write import write_report

    if lacks := lacking():
        print(f"note: {lacks}", file=sys.stderr)
    place, found = write_report(folders, out, margin, target, band)
    if as_json:
        print(json.dumps(tree(found), ensure_ascii=False))
        return
    print(found.verdict)
    for row in found.comparisons:
        print(f"  {row.sentence}")
    print(f"report: {place / 'report.html'}")
