"""`nas doctor`: whether this machine can search, and what to do where it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli._options import Json


def command(
    out: Annotated[Path, typer.Option(help="Where studies would lie.")] = Path("results"),
    dataset: Annotated[
        str | None, typer.Option(help="The data set to look at (default: those that lie here).")
    ] = None,
    data_dir: Annotated[str | None, typer.Option(help="Where data sets lie.")] = None,
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster to look at: auto or HOST:PORT.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0, max=600, help="Length of the search that is tried; 0 for none.")
    ] = 10.0,
    as_json: Json = False,
) -> None:
    """Look at packages, GPUs, memory, disk, data and Ray, and try a search of ten seconds.

    Every problem comes with its remedy. Exit code 1 where there is one.
    """
    import json
    from dataclasses import asdict

    from nas.search.diagnosis import Wanted, diagnoses

    found = []
    for each in diagnoses(Wanted(out, dataset, data_dir, address, seconds)):
        found.append(each)
        if not as_json:
            sign = {True: "ok", False: "PROBLEM", None: "-"}[each.right]
            print(f"{sign:>7}  {each.name}: {each.told}", flush=True)
            if each.remedy:
                print(f"{'':>7}  {'':>{len(each.name)}}  {each.remedy}", flush=True)
    problems = [each for each in found if each.right is False]
    if as_json:
        print(json.dumps({"right": not problems, "checks": [asdict(each) for each in found]}))
    else:
        print(_sum(len(problems)))
    if problems:
        raise typer.Exit(1)


def _sum(problems: int) -> str:
    from nas.errors import counted

    return counted(problems, "problem") if problems else "this machine can search"
