"""`nas audit`: what a cheap judge is worth in the space and on the data at hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli._options import Json
from nas.cli.search import takes_search_options

_AUDIT = "The audit"


@takes_search_options(
    without=(
        *("strategy", "evaluator", "seed", "start_from", "trials", "budget_seconds", "duplicates"),
        "evaluations_per_trial",
        "learn_from",
        *("out", "early_stop", "deterministic", "lag", "failure_score", "stopped_as"),
        *("screen", "fidelity"),
    )
)
def command(
    tree: Mapping[str, Any],
    cheap: Annotated[
        str,
        typer.Option(
            help="The judge that is tried: an evaluator, say proxy:grasp, or train made short by "
            "--set cheap.recipe.epochs=2.",
            rich_help_panel=_AUDIT,
        ),
    ] = "proxy:grasp",
    true: Annotated[
        str, typer.Option(help="The judge that is believed.", rich_help_panel=_AUDIT)
    ] = "train",
    n: Annotated[
        int, typer.Option(min=3, help="How many random genotypes.", rich_help_panel=_AUDIT)
    ] = 40,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The folder of the studies (default under results/).", rich_help_panel=_AUDIT
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge random genotypes by a cheap judge and twice by the true one, and say what the cheap one
    is good for.

    Each judge's verdicts are an ordinary study in the folder, so the same command again continues
    where it was, and a larger --n adds to it. Options of the true judge hold for the cheap one too,
    where it knows them; what is set as cheap.OPTION is the cheap one's alone.
    """
    import json

    from nas.cli._running import run_and_report
    from nas.reports.audit import audit_report, lines, write_audit
    from nas.search.auditing import audited

    audit = audited(tree, cheap, true, n, out)
    for study in audit.studies:
        run_and_report(study, as_json=as_json, whole=False)
    report = audit_report(audit)
    files = write_audit(report, audit.cheap.folder.parent)
    if as_json:
        print(json.dumps(report.to_dict()))
        return
    print(*lines(report), sep="\n")
    print(*(f"     wrote: {file}" for file in files), sep="\n")
