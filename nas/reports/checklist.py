"""The honest part: where the numbers come from, and which good practices of NAS research were kept.

The items follow Lindauer and Hutter, "Best Practices for Scientific Research on Neural Architecture
Search" (2020), in our words; what the tool cannot know stays open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any, TypeVar

from nas.errors import counted
from nas.registry import is_outside
from nas.reports.experiment import Experiment
from nas.reports.findings import Honesty, Practice, State
from nas.reports.frame import Frame, read_frame
from nas.reports.outcome import Outcome
from nas.search.auditing import judges_that_guess, outside_told, sentence_beside
from nas.search.comparing.arms import study_folder
from nas.search.confirmed import confirmation_of
from nas.study.places import is_study

Value = TypeVar("Value")


def honesty(experiment: Experiment) -> Honesty:
    """Machine, versions, commit, budget, seeds, pilot runs, and everything that could have been
    chosen late."""
    frames, plan = list(experiment.frames), experiment.plan
    confirmations = [again for arm in experiment.arms for again in arm.confirmations.values()]
    left = {arm.label: sorted(arm.studies.keys() - arm.finished.keys()) for arm in experiment.arms}
    return Honesty(
        folders=[str(folder) for folder in experiment.folders],
        machines=_distinct(frame.settings.hardware for frame in frames),
        evaluated_on=list(_evaluated_on(frames)),
        foreseen=[f"{frame.folder.name}: {frame.costs}" for frame in frames if frame.costs],
        versions=_distinct(frame.settings.versions for frame in frames),
        commits=_distinct(frame.settings.commit for frame in frames),
        measured=_distinct(frame.settings.measured for frame in frames),
        runners=_distinct(frame.settings.runner for frame in frames),
        budgets=_distinct(frame.budget for frame in frames),
        seeds={arm.label: sorted(arm.studies) for arm in experiment.arms},
        unfinished={label: seeds for label, seeds in left.items() if seeds},
        not_run=_absent(experiment, begun=False),
        planned=plan is not None,
        pilot=plan.pilot if plan else None,
        confirm=plan.confirm if plan else _confirmed_alone(experiment),
        requests=plan.requests if plan else [],
        first_alone=plan.first_alone if plan else [],
        resumed=sum(frame.sessions > 1 for frame in frames),
        total_trials=sum(frame.ended for frame in [*frames, *confirmations]),
        total_seconds=sum(frame.total_cost for frame in frames)
        + sum(arm.confirm_seconds for arm in experiment.arms),
        total_wall_seconds=sum(frame.wall_seconds for frame in [*frames, *confirmations]),
        total_strategy_seconds=sum(frame.strategy_seconds for frame in frames),
        audits=list(_audits(experiment)),
    )


def _confirmed_alone(experiment: Experiment) -> dict[str, Any] | None:
    """What the best of a single search came to, judged again."""
    frames = list(experiment.frames)
    found = confirmation_of(frames[0].folder) if len(frames) == 1 else None
    again = None if found is None else read_frame(found)
    if again is None or again.winner is None:
        return None
    judge = {"in": again.folder.name, "evaluator": again.settings.task.evaluator.name}
    return judge | {"trials": again.ended, "best": again.winner.score, "key": again.winner.key}


def _audits(experiment: Experiment) -> Iterator[str]:
    """What is known of each judge that only guesses what a training would give."""
    recorded = next(experiment.frames).settings.recorded
    for judge in judges_that_guess(recorded):
        yield f"{judge['name']}: {sentence_beside(judge, recorded, experiment.folders[0])}"
    winners = [frame.winner.metrics for frame in experiment.frames if frame.winner is not None]
    if told := outside_told(winners):
        yield told


def _evaluated_on(frames: Sequence[Frame]) -> Iterator[str]:
    """Which machines trials ran on, as they say themselves, and which studies moved, and when."""
    trials: Counter[str] = Counter()
    for frame in frames:
        trials.update({used.machine: used.trials for used in frame.machines})
    for machine, count in trials.most_common():
        yield f"{machine}: {counted(count, 'trial')}"

    for frame in frames:
        in_order = sorted(frame.machines, key=lambda used: used.first)
        for first, used in product(in_order[:1], in_order[1:]):
            until = f", until trial {used.last}" if used.last < first.last else ""
            yield (
                f"{frame.folder.name} began on {first.machine}, and from trial {used.first} on "
                f"ran on {used.machine}{until}"
            )


def checklist(experiment: Experiment, outcome: Outcome) -> list[Practice]:
    """Every item with its state and what is known about it."""
    known = honesty(experiment)
    return [Practice(*row) for row in _items(experiment, known, outcome)]


def _items(
    experiment: Experiment, known: Honesty, outcome: Outcome
) -> Iterator[tuple[str, State, str]]:
    yield from _about_code(experiment, known)
    yield "How final architectures are judged is stated", "kept", _how_judged(experiment, outcome)
    yield from _about_fairness(experiment, known, outcome)
    yield from _about_reporting(known)


def _about_code(experiment: Experiment, known: Honesty) -> Iterator[tuple[str, State, str]]:
    commits, outside = known.commits, list(_outside(experiment))
    dirty = [commit for commit in commits if str(commit).endswith("+")]
    commit = commits[0] if len(commits) == 1 else None
    if commit is None:
        state: State = "open"
        note = (
            "the commit is not known" if len(commits) == 1 else f"{len(commits)} commits took part"
        )
    elif dirty:
        state, note = "open", f"commit {commit[:12]}, with changes that were not committed"
    else:
        state, note = "kept", f"commit {commit[:12]}"
    if outside:
        state, note = "open", f"{note}; not part of it: {', '.join(outside)}"
    yield "The code of search space, training and strategies is published", state, note
    yield (
        "All hyperparameters are stated",
        "kept",
        "study.json of every study holds each with its default filled in",
    )


def _outside(experiment: Experiment) -> Iterator[str]:
    """What was searched with and is no part of this package."""
    task = experiment.task
    parts = [("space", task.space.name), ("evaluator", task.evaluator.name)]
    parts += [("strategy", arm.strategy) for arm in experiment.arms]
    for kind, name in dict.fromkeys(parts):
        if is_outside(kind, name):
            yield f"{kind} {name}"


def _how_judged(experiment: Experiment, outcome: Outcome) -> str:
    if outcome.kind == "score" and outcome.judge is not None:
        return f"by {outcome.name}, as {outcome.judge} judged the best of each search again"
    if outcome.kind == "score":
        return "by what the searches saw" + (
            ", evaluated again with fresh seeds" if outcome.confirmed else ""
        )
    if experiment.judge.name == "table":
        return "read from the table"
    if outcome.name == "test_accuracy":
        when = "the confirmation" if outcome.confirmed else "the search"
        return f"on the test split, with the weights that {when} ended with"
    return f"by {outcome.name}, read after the search"


def _about_fairness(
    experiment: Experiment, known: Honesty, outcome: Outcome
) -> Iterator[tuple[str, State, str]]:
    yield (
        "All arms use the same data, splits, space and training code",
        "kept",
        "checked: one task for all studies",
    )
    if known.first_alone:
        yield (
            "All arms learn from all objectives",
            "broken",
            f"{', '.join(known.first_alone)}: from the first alone",
        )
    one = len(known.budgets) == 1
    note = "one budget for all studies" if one else f"{len(known.budgets)} different budgets"
    yield "All arms have the same budget", "kept" if one else "broken", note
    same = all(len(each) == 1 for each in (known.machines, known.versions, known.runners))
    note = "one machine, one set of versions" if same else "machines, versions or runners differ"
    yield "Confounders (hardware, versions) are controlled", "kept" if same else "open", note
    yield "Random search and random sampling are among the baselines", *_baselines(experiment)
    fewest = min((len(arm.finished) for arm in experiment.arms), default=0)
    several: State = "kept" if fewest >= 6 else "broken"
    yield (
        "There are several runs, and their seeds are stated",
        several,
        f"at least {counted(fewest, 'finished seed')} per arm",
    )
    unfinished = sum(map(len, known.unfinished.values()))
    missing = sum(map(len, known.not_run.values()))
    left = []
    if unfinished:
        left.append(
            f"{counted(unfinished, 'study')} {'is' if unfinished == 1 else 'are'} unfinished"
        )
    if missing:
        left.append(f"{missing} {'was' if missing == 1 else 'were'} not begun")
    if others := sum(map(len, _absent(experiment, begun=True).values())):
        left.append(f"{others} of the same comparison {'is' if others == 1 else 'are'} not shown")
    yield (
        "No run is left out",
        "open" if left else "kept",
        " and ".join(left) or "every study has finished",
    )
    yield "Performance is shown over time", "kept", "over trials and, where it is known, over cost"
    apart = outcome.kind == "final"
    note = (
        "it is opened after a study, for its incumbents only"
        if apart
        else "winners are judged by what searches saw"
    )
    yield "The split that judges is not used to search", "kept" if apart else "open", note
    table = experiment.task.evaluator.name == "table"
    note = (
        "this is one"
        if table
        else "not in this report: a table of NAS-Bench-201 is one command away"
    )
    yield "A tabular benchmark backs the claim", "kept" if table else "open", note
    yield "Parts of a new method are ablated", "open", "only its authors know which parts are new"


def _baselines(experiment: Experiment) -> tuple[State, str]:
    if experiment.baseline is None:
        return "broken", "there is no arm of random search"
    if experiment.two_judges:
        return "open", "random search is shown; whoever confirmed judged no random draw"
    return "kept", "both are shown"


def _about_reporting(known: Honesty) -> Iterator[tuple[str, State, str]]:
    pilot = known.pilot
    declared = f"{counted(pilot or 0, 'pilot run')} {'was' if pilot == 1 else 'were'} declared"
    note = declared if pilot else "no pilot runs were declared (--pilot N)"
    yield "How hyperparameters were tuned, and what that cost, is stated", "open", note
    planned = known.planned
    grown = len(known.requests) > 1
    note = (
        f"asked for in {len(known.requests)} steps: seeds, arms or budget were added later"
        if grown
        else (
            "all seeds were fixed before the first trial"
            if planned
            else "the studies were not run by one plan"
        )
    )
    yield (
        "The number of seeds was fixed beforehand",
        "kept" if planned and not grown else "open",
        note,
    )
    yield (
        "The cost of the whole search is reported",
        "kept",
        "children, repeats, failures and the strategy's own time",
    )
    machine = bool(known.machines) and None not in known.machines
    yield (
        "The machine and all details of the setup are reported",
        "kept" if machine else "open",
        "see above",
    )


def _absent(experiment: Experiment, *, begun: bool) -> dict[str, list[int]]:
    """Seeds that were planned for an arm and are not in this report: those that have a study, or
    those that have none."""
    plan, place = experiment.plan, experiment.comparison
    if plan is None or place is None:
        return {}
    there = {arm.label: arm.studies.keys() for arm in experiment.arms}
    absent = {
        label: [
            seed
            for seed in sorted(set(plan.seeds).difference(there.get(label, ())))
            if is_study(study_folder(place, label, seed)) == begun
        ]
        for label in plan.arms
    }
    return {label: seeds for label, seeds in absent.items() if seeds}


def _distinct(values: Iterable[Value]) -> list[Value]:
    """Each different value once, in the order in which they occur."""
    found: list[Value] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
