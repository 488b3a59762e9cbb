"""How the standing of a comparison looks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from nas.errors import counted, shell_word

if TYPE_CHECKING:
    from nas.search.comparing.standing import ArmStanding, Standing


def show_standing(folder: Path, *, check: bool, trust: bool, as_json: bool) -> None:
    """Say how far a comparison is; with `check`, verify the log of every study first."""
    from nas.search.comparing.standing import standing_of

    checks = _checks(folder, trust=trust) if check else {}
    sound = all(found["sound"] for found in checks.values())
    standing = standing_of(folder) if sound else None
    if as_json:
        facts = {} if standing is None else asdict(standing)
        more = {"checks": checks} if check else {}
        print(json.dumps({"folder": str(folder), **facts, **more}))
    else:
        if standing is not None:
            _print(folder, standing)
        if check:
            _print_checks(checks)
    if not sound:
        raise typer.Exit(2)


def _checks(folder: Path, *, trust: bool) -> dict[str, dict[str, Any]]:
    """What a look at each log found, those of confirmations too."""
    from nas.search.checking import checked
    from nas.search.comparing.studies import studies_in
    from nas.search.confirmed import confirmations_in
    from nas.search.plan import Plan

    searches = [study for _, _, study in studies_in(folder)]
    studies = [each for study in searches for each in (study, *confirmations_in(study))]
    return {
        str(study.relative_to(folder)): checked(study, Plan.read(study, trust=trust))
        for study in studies
    }


def _print(folder: Path, standing: Standing) -> None:
    limits = [f"{limit:,} {name}" for name, limit in standing.budget.items()]
    judge = f" by {standing.confirm_evaluator}" if standing.confirm_evaluator else ""
    again = [] if standing.confirm is None else [f"best {standing.confirm} confirmed{judge}"]
    words = [counted(len(standing.arms), "arm"), counted(standing.seeds, "seed"), *limits, *again]
    print(f"comparison: {standing.space} · {standing.evaluator} · {', '.join(words)}")
    state = "" if standing.done == standing.studies else ", not finished"
    print(
        f"{standing.done:,} of {counted(standing.studies, 'study')} done"
        f"{', running' if standing.running else state}"
    )
    for arm in standing.arms:
        print(f"  {_arm_told(arm, standing.seeds)}")
    if not standing.running:
        from nas.search.winners import resume_command

        done = standing.done == standing.studies
        again_with = f"nas report {shell_word(str(folder))}" if done else resume_command(folder)
        print(f"next: {again_with}")


def _arm_told(arm: ArmStanding, seeds: int) -> str:
    best = (
        "" if arm.best is None else f", best {arm.best['score']:.6g} with seed {arm.best['seed']}"
    )
    begun = f", {arm.begun - arm.done:,} begun" if arm.begun > arm.done else ""
    return (
        f"{arm.arm}: {arm.done:,} of {seeds:,} done{begun}, {counted(arm.trials, 'trial')} in "
        f"{arm.cost_seconds:,.1f} s of evaluation{best}"
    )


def _print_checks(checks: dict[str, dict[str, Any]]) -> None:
    sound = sum(found["sound"] for found in checks.values())
    print(f"{sound:,} of {counted(len(checks), 'log')} sound")
    for name, found in checks.items():
        for problem in found["problems"]:
            print(f"problem: {name}: {problem}")
