"""A comparison that goes on as its files say, without the words it was begun with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.errors import StudyError
from nas.search.comparing.arms import Arm
from nas.search.comparing.plan import FILE, Asked, Confirm, read_comparison
from nas.search.comparing.studies import studies_in
from nas.search.plan import Plan, read_study_json
from nas.search.words import changed_runner, extended
from nas.study import Budget

_HERE = {"name": "local", "options": {}}


def asked_again(
    folder: Path,
    *,
    trials: str | None = None,
    seconds: float | None = None,
    runner: str | None = None,
    settings: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> Asked:
    """What was asked for, with the new limits of every study.

    Args:
        trials: `N`, or `+N` for N more than before.
        settings: of the runner from now on.
        trust: import whatever it names; else only what is ours, or was typed.
    """
    known = read_comparison(folder)
    if known is None:
        raise StudyError(f"{folder} holds no comparison: there is no {FILE} in it")
    arms = [
        Arm(label, _plan(folder, identity, known, trust=trust))
        for label, identity in known["arms"].items()
    ]
    run_by = changed_runner(arms[0].plan.runner, runner, settings or {})
    confirm = known["confirm"]
    return Asked(
        [replace(arm, plan=arm.plan.with_runner(run_by)) for arm in arms],
        known["seeds"],
        _budget(Budget(**known["budget"]), trials, seconds),
        None if confirm is None else Confirm.read(confirm, trust=trust),
        known["margin"],
        known["pilot"],
    )


def _plan(
    folder: Path, identity: Mapping[str, Any], known: Mapping[str, Any], *, trust: bool
) -> Plan:
    """The plan of an arm, whatever its seed, on the runner that its studies were begun on."""
    begun = next((place for _, _, place in studies_in(folder)), None)
    content = {
        **identity,
        "seed": 0,
        "runner": _HERE if begun is None else read_study_json(begun)["runner"],
        "repeats": known["repeats"],
        "measured": known["measured"],
        "scales": known.get("scales"),
    }
    return Plan.of(content, folder / FILE, trust=trust)


def _budget(old: Budget, trials: str | None, seconds: float | None) -> Budget:
    before = old.trials or 0
    return extended(old, trials, seconds, None, ended=before, open_trials=0)
