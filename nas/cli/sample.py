"""`nas sample`: genotypes drawn at random from a space."""

from __future__ import annotations

import json
from itertools import islice
from typing import Annotated

import typer

from nas.cli._options import Json, Set

_MOST = 1_000_000


def command(
    space: Annotated[str, typer.Argument(help="The space to draw from, say nasnet.")],
    number: Annotated[int, typer.Option("-n", "--number", help="How many genotypes.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="The seed: equal seeds, equal genotypes.")] = 0,
    valid: Annotated[
        bool,
        typer.Option("--valid", help="Only those through which something of an image flows."),
    ] = False,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Draw genotypes uniformly over decisions and print one JSON line each.

    A setting with several values, `--set skeleton.filters=16,24`, is drawn too.
    Sample k is the same however many are drawn, so a longer list begins with the shorter one.
    """
    from nas.cli._genotypes import make_space, parts_of
    from nas.errors import NasError
    from nas.seeding import numpy_rng
    from search_spaces.cells.carrying import carries_input

    if not 1 <= number <= _MOST:
        raise NasError(f"-n is {number}; expected a whole number from 1 to {_MOST:,}")
    given = parts_of(settings, ("space", "skeleton", "recipe"))
    drawn_from = make_space(space, given.pop("space", {}))
    if given:
        from nas.search.decided import deciding

        drawn_from = deciding(drawn_from, given)
    draws = (drawn_from.sample(numpy_rng(seed, "sample", index)) for index in range(_MOST))
    drawn = islice(filter(carries_input, draws) if valid else draws, number)
    if as_json:
        records = [genotype.to_dict() for genotype in drawn]
        print(json.dumps({"space": drawn_from.name, "seed": seed, "genotypes": records}))
        return
    for genotype in drawn:
        print(genotype.to_json())
