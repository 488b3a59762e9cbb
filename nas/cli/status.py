"""`nas status`: how far a study or a comparison is, and whether its log is sound."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli._options import Folder, Json, Trust
from nas.errors import counted, shell_word

if TYPE_CHECKING:
    from nas.search.plan import Plan
    from nas.study.ledger import Incumbent


def command(
    folder: Folder,
    check: Annotated[
        bool, typer.Option("--check", help="Verify the log: every trial ended once, replay agrees.")
    ] = False,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Show how far a study or a comparison is; with --check, verify its log."""
    from nas.search.checking import checked
    from nas.search.plan import Plan
    from nas.study.places import is_comparison

    if is_comparison(folder):
        from nas.cli._standing import show_standing

        show_standing(folder, check=check, trust=trust, as_json=as_json)
        return
    plan = Plan.read(folder, trust=trust)
    verdict = checked(folder, plan) if check else None
    facts: dict[str, Any] = {"folder": str(folder)}
    if verdict is None or verdict["sound"]:
        facts |= _facts(folder, plan)
    if verdict is not None:
        facts["check"] = verdict
    if as_json:
        print(json.dumps({name: fact for name, fact in facts.items() if name != "costs"}))
    else:
        _print(facts)
    if verdict is not None and not verdict["sound"]:
        raise typer.Exit(2)


def _facts(folder: Path, plan: Plan) -> dict[str, Any]:
    from nas.search.forecasts import compared, sentence_of
    from nas.search.pace import pace_of
    from nas.search.reading import budget_of, is_running, ledger_of

    running = is_running(folder)
    ledger = ledger_of(folder, plan.rules)
    pace = pace_of(ledger, time.time()) if running else None
    best, costs = ledger.best, compared(folder, ledger)
    return {
        "space": plan.space.name,
        "strategy": plan.strategy.name,
        "evaluator": plan.evaluator.name,
        "seed": plan.seed,
        "budget": budget_of(folder, ledger).to_dict(),
        "finished": ledger.finished,
        "running": running,
        "pace": None if pace is None else asdict(pace),
        "trials": ledger.bought_trials,
        "open": len(ledger.open),
        "counts": dict(ledger.counts),
        "failures": dict(ledger.failure_kinds),
        "cost_seconds": ledger.cost,
        "wall_seconds": round(ledger.wall_seconds, 3),
        "best": None if best is None else _told(best),
        **({} if plan.objectives is None else {"front": ledger.covered(plan.scales)}),
        **_confirmation(folder),
        "alarm": ledger.alarm,
        "forecast": [{**asdict(one), "within": one.within} for one in costs],
        "costs": sentence_of(costs),
        "final": {str(number): dict(final) for number, final in ledger.opened.items()},
    }


def _confirmation(folder: Path) -> dict[str, Any]:
    """How the best of a search stood the second judgement, where there was one."""
    from nas.search.confirmed import confirmation_of, confirmations_in
    from nas.search.plan import read_study_json
    from nas.search.reading import ranked

    if not confirmations_in(folder):
        return {}
    found = confirmation_of(folder)
    if found is None:
        return {"confirmation": None}
    (best,) = ranked(found, 1)
    chosen = {"number": best.asked["number"], "score": best.score}
    judge = read_study_json(found)["evaluator"]["name"]
    return {"confirmation": {"folder": str(found), "evaluator": judge, **chosen}}


def _told(best: Incumbent) -> dict[str, Any]:
    """The best so far, and how far its evaluations lie apart where there are several."""
    found: dict[str, Any] = {"number": best.trial.number, "score": best.score}
    if best.spread is not None:
        found |= {"score_sd": best.spread.sd, "evaluations": best.spread.evaluations}
    return found


def _print(facts: dict[str, Any]) -> None:
    if "space" in facts:
        _print_progress(facts)
    if "check" in facts:
        _print_check(facts["check"], running=facts.get("running", False))


def _print_progress(facts: dict[str, Any]) -> None:
    print(f"{facts['space']} · {facts['strategy']} · {facts['evaluator']} · seed {facts['seed']}")
    of = f" of {facts['budget']['trials']:,}" if "trials" in facts["budget"] else ""
    state = f"finished: {facts['finished']}" if facts["finished"] else "not finished"
    again = "being evaluated" if facts["running"] else "open (run again on resume)"
    started = f", {facts['open']} {again}" if facts["open"] else ""
    trials = f"{facts['trials']:,}{of} trials" if of else counted(facts["trials"], "trial")
    print(f"{trials}{started}, {'running' if facts['running'] else state}")
    if facts["running"]:
        print(", ".join(_pace_told(facts["pace"])))
    words = ", ".join(
        f"{count:,} {name}" for name, count in facts["counts"].items() if name != "asked" and count
    )
    print(words or "nothing evaluated yet")
    for kind, count in facts["failures"].items():
        print(f"  {count:,} failed: {kind.replace('_', ' ')}")
    print(
        f"{facts['cost_seconds']:,.1f} s of evaluation, {facts['wall_seconds']:,.1f} s of wall "
        "clock"
    )
    if facts["forecast"]:
        print(f"cost: {facts['costs']}")
    if facts["best"]:
        from nas.study.seed_spread import spread_told

        number = facts["best"]["number"]
        final = "".join(
            f", {name} {value:.6g}" for name, value in facts["final"].get(str(number), {}).items()
        )
        spread = spread_told(facts["best"])
        print(f"best: trial {number}, score {facts['best']['score']:.6g}{spread}{final}")
    if "confirmation" in facts:
        print(_confirmation_told(facts["confirmation"]))
    if facts.get("front"):
        print(f"front: {facts['front']}")
    if facts["alarm"] is not None:
        print(f"alarm: {facts['alarm']}; `nas inspect {shell_word(facts['folder'])}` shows it")


def _confirmation_told(found: dict[str, Any] | None) -> str:
    if found is None:
        return (
            "confirmed: not yet, or it found a better one since; give the command of the search "
            "again, with --confirm"
        )
    return (
        f"confirmed: {found['evaluator']} chose trial {found['number']} of {found['folder']}, "
        f"score {found['score']:.6g}"
    )


def _pace_told(pace: dict[str, Any]) -> Iterator[str]:
    """How fast, how many more, and until when."""
    from nas.search.pace import clock_text, pace_text

    seconds = pace["seconds_a_trial"]
    yield "no trial of this session has ended yet" if seconds is None else pace_text(seconds)
    if pace["trials_left"] is not None:
        yield f"{pace['trials_left']:,} left"
    if (left := pace["seconds_left"]) is not None:
        until = datetime.now().astimezone() + timedelta(seconds=left)
        yield f"about {clock_text(left)} more, until {until:%Y-%m-%d %H:%M}"


def _print_check(result: dict[str, Any], *, running: bool) -> None:
    if result["sound"]:
        replayed = f"{result['proposals_replayed']:,} proposals replayed alike"
        print(
            f"the log is sound: {result['events']:,} events, every trial ended at most once, "
            f"{replayed}"
        )
        if running and result["as_of"] is not None:
            moment = datetime.fromtimestamp(result["as_of"]).astimezone()
            print(f"it is being written: this is about its lines up to {moment:%Y-%m-%d %H:%M:%S}")
        if result["events"] and not result["proves_itself"]:
            print(
                "an earlier version began it: its lines have no checksums, so it cannot prove that "
                "nothing was changed"
            )
    for problem in result["problems"]:
        print(f"problem: {problem}")
