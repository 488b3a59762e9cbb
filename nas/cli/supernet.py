"""`nas supernet`: weights that all children of a space share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli._options import Json
from nas.cli.search import takes_search_options

_SUPERNET = "The supernet"


@takes_search_options(
    without=(
        *("strategy", "evaluator", "seed", "start_from", "trials", "budget_seconds", "max_hours"),
        *(
            "duplicates",
            "evaluations_per_trial",
            "learn_from",
            "out",
            "early_stop",
            "deterministic",
            "lag",
            "failure_score",
            "stopped_as",
        ),
        *("retries", "max_params", "max_macs", "runner", "workers", "trial_timeout"),
        *("gpus_per_trial", "cpus_per_trial", "concurrency", "address", "table", "score", "cost"),
        *("final", "decisions", "screen", "fidelity"),
    )
)
def command(
    tree: Mapping[str, Any],
    steps: Annotated[
        int,
        typer.Option(
            min=1, help="Each trains one uniformly drawn child.", rich_help_panel=_SUPERNET
        ),
    ] = 600,
    seed: Annotated[
        int, typer.Option(min=0, help="The seed of everything.", rich_help_panel=_SUPERNET)
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The folder to write (default under results/).", rich_help_panel=_SUPERNET
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train one set of weights for all children of a space, for `nas search --evaluator shared`.

    Dataset, skeleton and recipe are set as for a search that trains. The same command again goes on
    where it was stopped.
    """
    import json

    from nas.cli._verb import SignOfLife
    from nas.errors import shell_word
    from nas.search.supernets import supernet_of

    reached = [0, 0.0]

    def see(step: int, loss: float) -> None:
        reached[:] = step, loss

    with SignOfLife(lambda _: f"step {reached[0]:,} of {steps:,}, loss {reached[1]:.3f}"):
        folder, record = supernet_of(tree, steps=steps, seed=seed, folder=out, report=see)
    if as_json:
        shown = ("steps", "seed", "seconds", "data", "weights")
        print(json.dumps({"folder": str(folder), **{name: record[name] for name in shown}}))
        return
    where = shell_word(str(folder))
    print(f"{folder}: {steps:,} steps in {record['seconds']:.1f} s, weights {record['weights']}")
    print("next: ask what it is worth, with the same options, then search with it:")
    print(f"  nas audit --cheap shared --set cheap.supernet={where}")
    print(f"  nas search --evaluator shared --set evaluator.supernet={where}")
