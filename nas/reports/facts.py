"""Where numbers come from, as a table: machine, versions, commit, budget, seeds, and what was asked
for when."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nas.errors import counted
from nas.reports.findings import ArmRow, Findings, Honesty
from nas.reports.frame import Recorded, RecordedPart, Task
from nas.reports.sentences import seconds_text, short
from nas.search.screening import shown as screen_shown


def facts(found: Findings) -> list[tuple[str, str]]:
    """Machine, versions, commit, budget, seeds: everything that could have been otherwise."""
    known = found.honesty
    rows = [
        (
            "machine",
            "; ".join(_machine(machine) for machine in known.machines) or "not recorded",
        ),
        ("evaluated on", "; ".join(known.evaluated_on) or "not recorded"),
        *([("cost, as foreseen", "; ".join(known.foreseen))] if known.foreseen else []),
        ("versions", "; ".join(_pairs(versions) for versions in known.versions)),
        ("commit", ", ".join(str(commit) for commit in known.commits)),
        ("budget", " or ".join(budget_text(budget) for budget in known.budgets) + " per study"),
        (
            "seeds",
            "; ".join(f"{label}: {ranges_text(seeds)}" for label, seeds in known.seeds.items()),
        ),
        ("rules", _pairs(found.task.rules)),
        *_learnt(found.task),
        ("space", _options(found.task.space)),
        ("evaluator", _options(found.task.evaluator)),
        (
            "measured before the first trial",
            "; ".join(_pairs(measured) for measured in known.measured) or "nothing",
        ),
        ("runner", "; ".join(_options(runner) for runner in known.runners)),
    ]
    if found.task.screen is not None:
        rows.append(("screen", screen_shown(found.task.screen)))
    if found.task.fidelity is not None:
        shares = ", ".join(short(share) for share in found.task.fidelity)
        rows.append(("fidelity", f"{shares} of a training; of three the best goes on"))
    if known.audits:
        rows.append(("audit", "; ".join(known.audits)))
    rows += [(f"options of {arm.label}", _arm_options(arm)) for arm in found.arms]
    rows += [
        ("margin", f"{short(found.margin.value)}, stated {found.margin.stated}"),
        ("pilot runs", _pilot(known)),
        ("asked for", _requests(known)),
        ("confirmation", _confirmation(known.confirm) if known.confirm else "none"),
        ("left out", _of_arms(known.unfinished, "unfinished") or "no study"),
        ("planned, not begun", _of_arms(known.not_run, "seeds") or "no study"),
        ("in total", _in_total(known)),
    ]
    return rows


def _learnt(task: Task) -> list[tuple[str, str]]:
    """What was known from the start; no row where nothing was."""
    if task.learnt is None:
        return []
    known = counted(task.learnt.get("evaluations", 0), "evaluation")
    folders = ", ".join(task.learn_from)
    return [("learnt before", f"{known} of {folders}, at no cost, alike in every study")]


def _in_total(known: Honesty) -> str:
    return (
        f"{counted(known.total_trials, 'trial')}, {seconds_text(known.total_seconds)} s of "
        f"evaluation, {seconds_text(known.total_wall_seconds)} s of wall clock"
    )


def budget_text(budget: Mapping[str, float]) -> str:
    """`150 trials`, `1 trial, 12,000 s of evaluation`."""
    units = {"seconds": "s of evaluation", "hours": "h of wall clock"}
    words = [
        counted(int(value), "trial")
        if name == "trials"
        else f"{value:,.0f} {units.get(name, name)}"
        for name, value in budget.items()
    ]
    return ", ".join(words) or "no limit"


def _machine(machine: Recorded) -> str:
    match machine:
        case {"cpu": cpu, "cores": int(cores), "system": system, **others}:
            gpus = others.get("gpus")
            named = "".join(f", {gpu}" for gpu in gpus) if isinstance(gpus, list) else ""
            return f"{cpu}, {counted(cores, 'core')}{named}, {system}"
        case _:
            return "not recorded"


def _pairs(pairs: Recorded) -> str:
    return ", ".join(f"{name} {_brief(value)}" for name, value in (pairs or {}).items())


def _brief(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 90 else text[:87] + "..."


def _options(part: RecordedPart | None) -> str:
    if part is None:
        return "not recorded"
    given = _pairs({name: value for name, value in part.options.items() if value is not None})
    return part.name + (f" ({given})" if given else "")


def _arm_options(arm: ArmRow) -> str:
    given = {name: value for name, value in arm.options.items() if value is not None}
    recorded = {
        name: value
        for name, value in arm.recorded.items()
        if name not in given and value is not None
    }
    return _pairs({**given, **recorded}) or "none"


def ranges_text(seeds: Sequence[int]) -> str:
    """1, 2, 3, 7 as `1-3, 7`."""
    parts: list[str] = []
    start = previous = None
    for seed in [*seeds, None]:
        if previous is not None and seed == previous + 1:
            previous = seed
            continue
        if start is not None:
            parts.append(str(start) if start == previous else f"{start}-{previous}")
        start = previous = seed
    return ", ".join(parts)


def _of_arms(seeds: Mapping[str, Sequence[int]], what: str) -> str:
    return "; ".join(f"{label}: {what} {ranges_text(numbers)}" for label, numbers in seeds.items())


def _confirmation(confirm: Mapping[str, Any]) -> str:
    """How winners were chosen again; a judge of its own with what was given to it."""
    judge = confirm.get("evaluator")
    if not isinstance(judge, Mapping):
        return _pairs(confirm)
    others = {name: value for name, value in confirm.items() if value not in (None, judge)}
    return f"{_pairs(others)}, by {_options(RecordedPart.read(judge))}"


def _pilot(known: Honesty) -> str:
    if not known.planned:
        return "not known: the studies were not run by one plan"
    return f"{known.pilot} declared" if known.pilot else "none declared"


def _requests(known: Honesty) -> str:
    if not known.requests:
        return "not known"
    steps = [
        f"{counted(request.seeds, 'seed')} of {', '.join(request.arms)} with "
        f"{budget_text(request.budget)}"
        for request in known.requests
    ]
    return "; then ".join(steps)
