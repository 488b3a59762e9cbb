"""`nas search`: launch a search, or continue the same one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli._options import Json, Set

_SEARCH, _BUDGET, _TABLE, _TRAIN, _RULES = "What to search", "How far", "Table of results", "Training", "Rules"


def command(
    space: Annotated[
        str | None, typer.Option(help="What can be drawn (default nasnet).", rich_help_panel=_SEARCH)
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="Who draws (default policy-gradient).", rich_help_panel=_SEARCH)
    ] = None,
    evaluator: Annotated[str | None, typer.Option(help="Who judges (default train).", rich_help_panel=_SEARCH)] = None,
    runner: Annotated[
        str | None, typer.Option(help="Where trials run (default local).", rich_help_panel=_SEARCH)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The seed of everything (default 0).", rich_help_panel=_SEARCH)
    ] = None,
    out: Annotated[
        str | None, typer.Option(help="The study's folder (default under results/).", rich_help_panel=_SEARCH)
    ] = None,
    start_from: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GENOTYPE",
            help="Genotypes for the first trials: a file, a text or a zoo name.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Local processes (default 1: this one).", rich_help_panel=_SEARCH)
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file of settings; flags win.", rich_help_panel=_SEARCH)
    ] = None,
    trials: Annotated[int | None, typer.Option(help="End after so many trials.", rich_help_panel=_BUDGET)] = None,
    budget_seconds: Annotated[
        float | None, typer.Option(help="End after so many summed seconds of evaluation.", rich_help_panel=_BUDGET)
    ] = None,
    max_hours: Annotated[
        float | None, typer.Option(help="End after so many hours of wall clock.", rich_help_panel=_BUDGET)
    ] = None,
    trial_timeout: Annotated[
        float | None, typer.Option(help="Seconds a trial may take.", rich_help_panel=_BUDGET)
    ] = None,
    table: Annotated[
        str | None, typer.Option(help="CSV, CSV.GZ or Parquet file, a row per architecture.", rich_help_panel=_TABLE)
    ] = None,
    score: Annotated[
        str | None, typer.Option(help="Expression over columns or metrics.", rich_help_panel=_TABLE)
    ] = None,
    cost: Annotated[str | None, typer.Option(help="Expression over columns: seconds.", rich_help_panel=_TABLE)] = None,
    final: Annotated[
        str | None, typer.Option(help="Expression by which winners are judged.", rich_help_panel=_TABLE)
    ] = None,
    decisions: Annotated[
        str | None, typer.Option(help="Pattern of decision columns, or one column.", rich_help_panel=_TABLE)
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="What children are trained on.", rich_help_panel=_TRAIN)] = None,
    preset: Annotated[str | None, typer.Option(help="How they are trained.", rich_help_panel=_TRAIN)] = None,
    data_dir: Annotated[str | None, typer.Option(help="Where data sets lie.", rich_help_panel=_TRAIN)] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 or mps.", rich_help_panel=_TRAIN)] = None,
    duplicates: Annotated[str | None, typer.Option(help="reuse, retrain or resample.", rich_help_panel=_RULES)] = None,
    retries: Annotated[
        int | None, typer.Option(help="Tries after a failure (default 1).", rich_help_panel=_RULES)
    ] = None,
    failure_score: Annotated[
        float | None, typer.Option(help="What a strategy hears of a failure.", rich_help_panel=_RULES)
    ] = None,
    stopped_as: Annotated[str | None, typer.Option(help="worst or ignore.", rich_help_panel=_RULES)] = None,
    max_params: Annotated[
        str | None, typer.Option(help="Skip larger networks, say 3.3M.", rich_help_panel=_RULES)
    ] = None,
    max_macs: Annotated[
        str | None, typer.Option(help="Skip costlier networks, say 600M.", rich_help_panel=_RULES)
    ] = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Search: draw, judge, remember; ends by naming the winner. The same command again continues where it was."""
    from nas.cli._running import run_and_report
    from nas.planning import assignment
    from nas.settings import assignments, merged, read_config

    flags: dict[str, dict[str, Any]] = {
        "space": {"name": space},
        "strategy": {"name": strategy},
        "runner": {"name": runner, "workers": workers, "trial_timeout": trial_timeout},
        "evaluator": {
            "name": evaluator, "table": table, "score": score, "cost": cost, "final": final, "decisions": decisions,
            "dataset": dataset, "preset": preset, "data_dir": data_dir, "device": device,
        },
        "study": {
            "seed": seed, "trials": trials, "budget_seconds": budget_seconds, "max_hours": max_hours,
            "duplicates": duplicates, "retries": retries, "failure_score": failure_score, "stopped_as": stopped_as,
            "max_params": max_params, "max_macs": max_macs, "start_from": start_from or None, "out": out,
        },
    }  # fmt: skip
    given = {part: {name: value for name, value in table.items() if value is not None} for part, table in flags.items()}
    tree = merged(read_config(config) if config else {}, merged(assignments(settings or []), given))
    run_and_report(assignment(tree), as_json=as_json)
