"""`nas tabulate`: evaluate every architecture of a space and make a table of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli._options import Json
from nas.cli._search_options import takes_search_options
from nas.errors import counted

_HIDDEN = (
    "strategy",
    "seed",
    "start_from",
    "trials",
    "budget_seconds",
    "duplicates",
    "out",
    "early_stop",
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

    Architectures that are the same function share a row. Each seed is an ordinary study in
    FOLDER/seed-K, so the same command again continues where it was.
    """
    import json

    from nas.cli._running import run_and_report
    from nas.cli._stopping import same_command
    from nas.search.tabulation import checked_table, joined, study_of_seed, study_size, write_table

    checked_table(out)
    home = folder or out.with_name(out.name.partition(".")[0] + "-studies")
    studies = [study_of_seed(tree, seed, home / f"seed-{seed}") for seed in range(seeds)]
    for study in studies:
        run_and_report(study, as_json=as_json, whole=False)
    rows = joined([study.folder for study in studies])
    write_table(out, studies[0].plan.make_space(), rows)
    complete = study_size(studies[0].plan.make_space())
    if as_json:
        print(json.dumps({"table": str(out), "rows": len(rows), "of": complete, "seeds": seeds}))
        return
    print(f"{out}: {len(rows):,} rows, each the mean of {counted(seeds, 'seed')}")
    if len(rows) < complete:
        print(
            f"{complete - len(rows):,} of {complete:,} architectures are missing; continue with "
            f"`{same_command()}{_longer(tree)}`"
        )


def _longer(tree: Mapping[str, Any]) -> str:
    """The limit of hours that ended the studies, raised."""
    hours = tree.get("study", {}).get("max_hours")
    return "" if hours is None else f" --max-hours {2 * float(hours):g}"
