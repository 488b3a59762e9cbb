"""How far a comparison is, read from its files while it runs or after.

Who is ahead is not told before all is done: whoever knows may stop there, or ask for more seeds,
and then the test is not the one that was planned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.search.comparing.plan import read_comparison
from nas.search.comparing.studies import pairs_of
from nas.search.confirmed import best_of
from nas.search.plan import read_study_json
from nas.search.reading import ledger_of
from nas.study import Budget, Rules
from nas.study.ledger import Ledger
from nas.study.store import is_being_written


@dataclass(frozen=True, slots=True)
class ArmStanding:
    """How far the studies of one arm are.

    Args:
        best: score and seed of its best winner, by what chose it; nothing before the whole
            comparison is done.
    """

    arm: str
    strategy: str
    begun: int
    done: int
    trials: int
    cost_seconds: float
    best: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How far all are."""

    space: str
    evaluator: str
    budget: Mapping[str, Any]
    confirm: int | None
    confirm_evaluator: str | None
    seeds: int
    studies: int
    done: int
    running: bool
    arms: list[ArmStanding]


@dataclass(frozen=True, slots=True)
class _Study:
    seed: int
    done: bool
    trials: int
    cost: float
    score: float | None
    confirmed: bool


def standing_of(folder: Path) -> Standing:
    """How far the comparison in this folder is."""
    studies: dict[str, list[_Study]] = {}
    total = 0
    known = read_comparison(folder) or {}
    confirm = known.get("confirm")
    for arm, seed, place in pairs_of(folder):
        total += 1
        found = studies.setdefault(arm, [])
        if (place / "study.json").is_file():
            found.append(
                _study(place, seed, Budget(**known["budget"]), confirm=confirm is not None)
            )
    done = sum(study.done for found in studies.values() for study in found)
    several = any("objectives" in arm for arm in known["arms"].values())  # then none is best
    told = done == total and not several
    arms = [
        _arm(label, known["arms"][label]["strategy"]["name"], found, told=told)
        for label, found in studies.items()
    ]
    first = next(iter(known["arms"].values()))
    return Standing(
        space=first["space"]["name"],
        evaluator=first["evaluator"]["name"],
        budget=known["budget"],
        confirm=None if confirm is None else confirm["top"],
        confirm_evaluator=((confirm or {}).get("evaluator") or {}).get("name"),
        seeds=len(known["seeds"]),
        studies=total,
        done=done,
        running=is_being_written(folder),
        arms=arms,
    )


def _study(place: Path, seed: int, budget: Budget, *, confirm: bool) -> _Study:
    stored = read_study_json(place)
    ledger = ledger_of(place, Rules(**stored["rules"], repeats=stored["repeats"]))
    best = next(iter(best_of(place, 1)), None)  # with the study that judged it
    confirmed = best is not None and best[0] != place
    done = ledger.finished is not None and (ledger.budget == budget or _spent(ledger, budget))
    if best is not None:  # else there is no winner to wait for
        done = done and (place / "best" / "genotype.json").is_file() and (confirmed or not confirm)
    score = None if best is None else best[1].score
    return _Study(seed, done, ledger.bought_trials, ledger.cost, score, confirmed)


def _spent(ledger: Ledger, budget: Budget) -> bool:
    """Whether a study that somebody extended by itself went as far as all were to go."""
    trials = budget.trials is None or ledger.bought_trials >= budget.trials
    return trials and (budget.seconds is None or ledger.cost >= budget.seconds)


def _arm(label: str, strategy: str, studies: Sequence[_Study], *, told: bool) -> ArmStanding:
    winners = [study for study in studies if told and study.score is not None]
    best = max(winners, key=lambda study: (study.confirmed, study.score), default=None)
    return ArmStanding(
        label,
        strategy,
        begun=len(studies),
        done=sum(study.done for study in studies),
        trials=sum(study.trials for study in studies),
        cost_seconds=round(sum(study.cost for study in studies), 3),
        best=None if best is None else {"seed": best.seed, "score": best.score},
    )
