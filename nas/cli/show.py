"""`nas show`: what a genotype looks like, what it is called, and what its network costs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from nas.cli._options import Json, Set
from nas.cli._verb import drawn

_DRAWINGS = "Drawings"


def command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="GENOTYPE|STUDY",
            help="A text, a file, a zoo name, a folder, or - for lines of input.",
        ),
    ],
    space: Annotated[
        str | None, typer.Option(help="The space that choices belong to, say nasnet.")
    ] = None,
    skeleton: Annotated[
        str | None,
        typer.Option(
            help="cifar, imagenet-mobile, imagenet-large, nasbench201 (default by the cells)."
        ),
    ] = None,
    settings: Set = None,
    svg: Annotated[
        Path | None, typer.Option(help="Write the cells as SVG.", rich_help_panel=_DRAWINGS)
    ] = None,
    png: Annotated[
        Path | None, typer.Option(help="Write the cells as PNG.", rich_help_panel=_DRAWINGS)
    ] = None,
    dot: Annotated[
        Path | None, typer.Option(help="Write the cells as DOT text.", rich_help_panel=_DRAWINGS)
    ] = None,
    network: Annotated[
        bool,
        typer.Option(
            "--network",
            help="Draw the whole network as a stack (SVG, PNG).",
            rich_help_panel=_DRAWINGS,
        ),
    ] = False,
    theme: Annotated[
        str,
        typer.Option(help="auto (follows the reader's), light or dark.", rich_help_panel=_DRAWINGS),
    ] = "auto",
    ascii_only: Annotated[
        bool, typer.Option("--ascii", help="Draw with ASCII alone.", rich_help_panel=_DRAWINGS)
    ] = False,
    as_json: Json = False,
) -> None:
    """Show a genotype: drawing, key, parameters, multiply-adds, memory, and a row per cell.

    Settings of the skeleton are `--set skeleton.filters=44`; all of them: `nas show GENOTYPE
    --json`.
    """
    from nas.cli._genotypes import check_target, make_space, parts_of, read_genotypes
    from nas.cli._portraits import portrait_text, write_drawings
    from nas.drawings.palette import check_theme
    from nas.drawings.portrait import portrait
    from nas.errors import NasError

    given = parts_of(settings, ("skeleton", "space"))
    if space is None and "space" in given:
        raise NasError("--set space.... needs a space; name it with --space, say --space nasnet")
    targets = {
        kind: path for kind, path in (("svg", svg), ("png", png), ("dot", dot)) if path is not None
    }
    for path in targets.values():
        check_target(path)
    check_theme(theme)
    if network and not {"svg", "png"} & targets.keys():
        raise NasError("--network draws into a file; say which with --svg FILE or --png FILE")
    genotypes = read_genotypes(
        source, None if space is None else make_space(space, given.get("space", {}))
    )
    if len(genotypes) > 1 and targets:
        raise NasError(
            f"{len(genotypes)} genotypes do not fit in one drawing; hand over one of them"
        )
    for number, genotype in enumerate(genotypes):
        shown = portrait(genotype, source, skeleton, given.get("skeleton"))
        written = write_drawings(shown, targets, theme, network)
        if as_json:
            print(json.dumps(shown.record()))
        else:
            text = "\n" * bool(number) + portrait_text(shown, ascii_only)
            print(text, file=drawn(sys.stdout))
            print("".join(f"\nwrote {path}" for path in written), end="\n" if written else "")
