"""`nas predict`: a trained network tried on pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli._options import Json


def command(
    source: Annotated[
        str, typer.Argument(metavar="EXPORT|WEIGHTS|STUDY", help="An export's folder, or weights.")
    ],
    pictures: Annotated[
        list[Path], typer.Argument(help="Picture files, or folders: all pictures below them.")
    ],
    top: Annotated[int, typer.Option(min=1, help="How many classes of each.")] = 5,
    weights: Annotated[
        Path | None, typer.Option(help="Weights, where SOURCE is a genotype.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a trained network sees in pictures."""
    import json
    import sys
    from dataclasses import asdict

    from nas.exporting.predicting import predictions, trained_subject

    subject = trained_subject(source, weights)
    found = predictions(subject, pictures, top)
    if subject.pixels_unknown:
        print(
            "the weights do not say the mean and deviation of their training pixels: pixels are "
            "taken as 0..1, and the "
            "answers may be wrong",
            file=sys.stderr,
        )
    if as_json:
        rows = [asdict(prediction) for prediction in found]
        print(json.dumps({"predictions": rows, "pixels_known": not subject.pixels_unknown}))
        return
    for prediction in found:
        guesses = [f"{guess.name} {100 * guess.share:.1f} %" for guess in prediction.classes]
        print(f"{prediction.picture}: {', '.join(guesses) or 'cannot be decoded'}")
