"""`nas best`: the winners of a study."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from nas.cli._options import Folder, Json


def command(
    folder: Folder,
    top: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    as_json: Json = False,
) -> None:
    """Name the best distinct genotypes of a study."""
    from nas.errors import StudyError
    from nas.search.plan import Plan
    from nas.search.reading import ranked

    plan = Plan.read(folder)  # says what is wrong where there is no study
    winners = [
        {
            "number": asked["number"],
            "score": score,
            "key": asked["key"],
            "metrics": told["metrics"],
            "seconds": told["seconds"],
            "final": final,
            "genotype": asked["genotype"],
        }
        for score, asked, told, final in ranked(folder, top)
    ]
    if not winners:
        again = plan.resume_command(folder)
        raise StudyError(f"{folder} has no evaluated trial yet: continue it with `{again}`")
    if as_json:
        print(json.dumps({"folder": str(folder), "best": winners}))
        return
    for rank, winner in enumerate(winners, start=1):
        final = "".join(f", {name} {value:.6g}" for name, value in winner["final"].items())
        print(
            f"{rank:>3}. trial {winner['number']}, score {winner['score']:.6g}{final}, key "
            f"{winner['key']}"
        )
        if top == 1:
            print(json.dumps(winner["genotype"]))
