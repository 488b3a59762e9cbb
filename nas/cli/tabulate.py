"""`nas tabulate`: evaluate every architecture of a space and make a table of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli._options import Json
from nas.cli.search import takes_search_options
from nas.errors import SettingsError, counted

_HIDDEN = (
    "strategy",
    "seed",
    "start_from",
    "trials",
    "budget_seconds",
    "duplicates",
    "evaluations_per_trial",
    "learn_from",
    "out",
    "early_stop",
    "screen",
    "fidelity",
)
_TABULATION = "The table"


@takes_search_options(
    without=(
        *_HIDDEN,
        "deterministic",
        "lag",
        "max_params",
        "max_macs",
        "failure_score",
        "stopped_as",
    )
)
def command(
    tree: Mapping[str, Any],
    out: Annotated[
        Path, typer.Option(help="The file to write: .csv, or .csv.gz.", rich_help_panel=_TABULATION)
    ] = Path("table.csv.gz"),
    seeds: Annotated[
        int,
        typer.Option(
            min=1, max=1000, help="How often each is evaluated.", rich_help_panel=_TABULATION
        ),
    ] = 3,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Of a space too large to list: evaluate so many random architectures.",
            rich_help_panel=_TABULATION,
        ),
    ] = None,
    neighbour_every: Annotated[
        int,
        typer.Option(
            min=0,
            help="Of a sample: so often, a neighbour of an earlier one (0: never).",
            rich_help_panel=_TABULATION,
        ),
    ] = 0,
    repeated: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Of a sample: so many by every seed, the rest by the first (default: all).",
            rich_help_panel=_TABULATION,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where the studies lie (default beside the file).", rich_help_panel=_TABULATION
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Evaluate every architecture of a space, once per seed, and write a table that `nas search
    --table` reads.

    Architectures that are the same function share a row. Of a space too large to list, `--sample N`
    evaluates a sample; a larger N later adds to it. Each seed is an ordinary study in
    FOLDER/seed-K, so the same command again continues where it was; where the studies are gone, it
    takes over what the file has of the same settings, and evaluates the rest.
    """
    import json

    from nas.cli._running import run_and_report
    from nas.cli._verb import same_command
    from nas.search.records import read_records, write_records
    from nas.search.tabulation import (
        Sampled,
        checked_table,
        refuse_decided,
        study_of_seed,
        study_size,
    )

    checked_table(out)
    if sample is None and (neighbour_every or repeated):
        raise SettingsError("--neighbour-every and --repeated are of a sample; add --sample N")
    sampled = Sampled(sample, neighbour_every, repeated) if sample else None
    home = folder or out.with_name(out.name.partition(".")[0] + "-studies")
    studies = [study_of_seed(tree, seed, home / f"seed-{seed}", sampled) for seed in range(seeds)]
    refuse_decided(studies[0].plan)
    space = studies[0].plan.make_space()
    records = read_records(out, space)
    folders = [study.folder for study in studies]
    for seed, study in enumerate(studies):
        try:
            run_and_report(
                study, as_json=as_json, whole=False, around=records.around(seed, study.folder)
            )
        except typer.Exit:
            write_records(records, space, folders, repeated=repeated, partly=True)
            raise
    rows = write_records(records, space, folders, repeated=repeated)
    complete = sample or study_size(space)
    if as_json:
        print(json.dumps({"table": str(out), "rows": rows, "of": complete, "seeds": seeds}))
        return
    print(f"{out}: {rows:,} rows, each the mean of {counted(seeds, 'seed')}")
    if rows < complete:
        print(
            f"{complete - rows:,} of {complete:,} architectures are missing; continue with "
            f"`{same_command()}{_longer(tree)}`"
        )


def _longer(tree: Mapping[str, Any]) -> str:
    """The limit of hours that ended the studies, raised."""
    hours = tree.get("study", {}).get("max_hours")
    return "" if hours is None else f" --max-hours {2 * float(hours):g}"
