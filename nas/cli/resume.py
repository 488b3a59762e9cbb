"""`nas resume`: go on with a study or a comparison, or extend a finished one."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli._options import Folder, Json, To, Trust
from nas.cli._tracking import Track
from nas.errors import SettingsError


def command(
    folder: Folder,
    trials: Annotated[
        str | None,
        typer.Option(
            metavar="N|+N", help="New number of trials, or +N for N more than have ended."
        ),
    ] = None,
    budget_seconds: Annotated[
        float | None, typer.Option(help="New budget of summed evaluation seconds.")
    ] = None,
    max_hours: Annotated[float | None, typer.Option(help="New limit of wall-clock hours.")] = None,
    runner: Annotated[
        str | None, typer.Option(help="Where trials run from now on: local or ray.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Local processes from now on.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="runner.OPTION=VALUE", help="Any option of the runner."),
    ] = None,
    to: To = None,
    track: Track = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Continue a study or a comparison exactly where it was, or extend a finished one."""
    from nas.cli._running import run_and_report
    from nas.search.plan import Plan
    from nas.search.reading import budget_of, ledger_of
    from nas.search.words import Assignment, changed_runner, extended
    from nas.settings import assignments
    from nas.study.places import is_comparison

    tree = assignments(settings or [])
    if workers is not None:
        tree.setdefault("runner", {})["workers"] = workers
    if is_comparison(folder):
        from nas.cli._comparing import continue_and_report

        _refuse_of_study(max_hours, to)
        asked = {"trials": trials, "seconds": budget_seconds, "runner": runner, "settings": tree}
        words = [] if runner is None else ["--runner", runner]
        words += [] if workers is None else ["--workers", str(workers)]
        words += [word for setting in settings or [] for word in ("--set", setting)]
        words += [] if track is None else ["--track", track]
        continue_and_report(folder, asked, words, trust=trust, track=track, as_json=as_json)
        return
    plan = Plan.read(folder, trust=trust)
    plan = plan.with_runner(changed_runner(plan.runner, runner, tree))
    budget = None  # as far as its log says
    if (trials, budget_seconds, max_hours) != (None, None, None):
        ledger = ledger_of(folder, plan.rules)
        budget = extended(
            budget_of(folder, ledger),
            trials,
            budget_seconds,
            max_hours,
            ended=ledger.ended_trials,
            open_trials=ledger.bought_trials - ledger.ended_trials,
        )
    run_and_report(Assignment(plan, budget, folder), as_json=as_json, to=to, track=track)


def _refuse_of_study(max_hours: float | None, to: str | None) -> None:
    """Words that one study takes and a comparison does not."""
    if max_hours is not None:
        raise SettingsError(
            "hours of wall clock depend on what else runs, so arms would not have the same: give "
            "--trials or --budget-seconds"
        )
    if to is not None:
        raise SettingsError(
            "--to exports the winner of one study: run `nas export DIR` when the comparison is done"
        )
