"""`nas compare`: strategies against each other, with seeds enough to say who is better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from nas.cli._options import Json
from nas.cli._tracking import Track
from nas.cli.search import ConfirmBy, believer_by, takes_search_options

_COMPARISON = "What to compare"


@takes_search_options(without=("strategy", "seed", "max_hours"))
def command(
    tree: Mapping[str, Any],
    strategies: Annotated[
        str,
        typer.Option(
            help="Names with commas between them, each with a label where it needs one: "
            "evolution,small=evolution. "
            "Options of one arm: --set small.population=10. Random search always takes part.",
            rich_help_panel=_COMPARISON,
        ),
    ] = "policy-gradient,evolution,random-search",
    seeds: Annotated[
        str,
        typer.Option(
            help="How many (10 means 1 to 10), 1-50, or 1,2,5.", rich_help_panel=_COMPARISON
        ),
    ] = "10",
    confirm: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Evaluate the best K of each search again and choose by that.",
            rich_help_panel=_COMPARISON,
        ),
    ] = None,
    confirm_evaluator: Annotated[
        str | None,
        typer.Option(
            help="Let another judge do so; its own options are set as confirm.OPTION.",
            rich_help_panel=_COMPARISON,
        ),
    ] = None,
    confirm_score: Annotated[
        str | None,
        typer.Option(help="Expression to confirm by, for a table.", rich_help_panel=_COMPARISON),
    ] = None,
    confirm_cost: Annotated[
        str | None, typer.Option(help="What that costs, for a table.", rich_help_panel=_COMPARISON)
    ] = None,
    confirm_by: Annotated[
        ConfirmBy,
        typer.Option(
            help="Which are the best K: those with the highest scores, or those that a critic of "
            "all scores believes in.",
            rich_help_panel=_COMPARISON,
        ),
    ] = "score",
    margin: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Differences below this count as none (default 0.1 percentage points).",
            rich_help_panel=_COMPARISON,
        ),
    ] = None,
    pilot: Annotated[
        int,
        typer.Option(
            min=0,
            help="How many pilot runs came before, for the report.",
            rich_help_panel=_COMPARISON,
        ),
    ] = 0,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes for cheap evaluations, as of tables (default: all cores).",
            rich_help_panel=_COMPARISON,
        ),
    ] = None,
    report: Annotated[
        bool, typer.Option(help="Write the report at the end.", rich_help_panel=_COMPARISON)
    ] = True,
    track: Track = None,
    as_json: Json = False,
) -> None:
    """Compare strategies over many seeds, and say which are better than random search.

    Every pair of strategy and seed is an ordinary study in DIR/STRATEGY/seed-K. The same command
    again continues.
    """
    from nas.cli._comparing import compare_and_report
    from nas.search.comparing.request import asked_of

    asked, budget = asked_of(
        tree,
        strategies,
        seeds,
        confirm=confirm,
        confirm_score=confirm_score,
        confirm_cost=confirm_cost,
        confirm_by=confirm_by,
        confirm_evaluator=confirm_evaluator,
        margin=margin,
        pilot=pilot,
    )
    out = tree.get("study", {}).get("out")
    compare_and_report(
        asked,
        budget,
        out,
        processes,
        believer_by(confirm_by),
        report=report,
        track=track,
        as_json=as_json,
    )
