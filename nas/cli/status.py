"""`nas status`: how far a study is, and whether its log is sound."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from nas.cli._options import Folder, Json


def command(
    folder: Folder,
    check: Annotated[
        bool, typer.Option("--check", help="Verify the log: every trial ended once, replay agrees.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show how far a study is; with --check, verify its log."""
    from nas.checking import check as checked
    from nas.plan import Plan
    from nas.search import ledger_of

    plan = Plan.read(folder)
    ledger = ledger_of(folder, plan)
    best = ledger.best
    facts: dict[str, Any] = {
        "folder": str(folder),
        "space": plan.space.name,
        "strategy": plan.strategy.name,
        "evaluator": plan.evaluator.name,
        "seed": plan.seed,
        "budget": ledger.budget.to_dict(),
        "finished": ledger.finished,
        "trials": ledger.counts["asked"],
        "open": len(ledger.open),
        "counts": dict(ledger.counts),
        "failures": dict(ledger.failure_kinds),
        "cost_seconds": ledger.cost,
        "wall_seconds": round(ledger.wall_seconds, 3),
        "best": None if best is None else {"number": best.trial.number, "score": best.score},
        "final": {str(number): dict(final) for number, final in ledger.opened.items()},
    }
    if check:
        result = checked(folder, plan)
        facts["check"] = {
            "sound": not result.problems,
            "events": result.events,
            "trials": result.trials,
            "proposals_replayed": result.proposals,
            "problems": result.problems,
        }
    if as_json:
        print(json.dumps(facts))
    else:
        _print(facts)
    if check and facts["check"]["problems"]:
        raise typer.Exit(2)


def _print(facts: dict[str, Any]) -> None:
    print(f"{facts['space']} · {facts['strategy']} · {facts['evaluator']} · seed {facts['seed']}")
    state = facts["finished"] or ("open trials run again on resume" if facts["open"] else "not finished")
    print(f"{facts['trials']:,} trials, {facts['open']} open: {state}")
    words = ", ".join(f"{count:,} {name}" for name, count in facts["counts"].items() if name != "asked" and count)
    print(
        f"{words or 'nothing evaluated yet'}; {facts['cost_seconds']:,.1f} s of evaluation, {facts['wall_seconds']:,.1f} s of wall clock"
    )
    for kind, count in facts["failures"].items():
        print(f"  {count:,} failed: {kind.replace('_', ' ')}")
    if facts["best"]:
        print(f"best: trial {facts['best']['number']}, score {facts['best']['score']:.6g}")
    if "check" in facts:
        _print_check(facts["check"])


def _print_check(result: dict[str, Any]) -> None:
    if result["sound"]:
        replayed = f"{result['proposals_replayed']:,} proposals replayed alike"
        print(f"the log is sound: {result['events']:,} events, every trial ended at most once, {replayed}")
    for problem in result["problems"]:
        print(f"problem: {problem}")
