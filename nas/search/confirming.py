"""The end of a search by a cheap judge: its best are judged by a dearer one, which chooses the
winner."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.errors import StudyError
from nas.search.auditing import sentence_of_audit
from nas.search.plan import Plan, read_study_json
from nas.search.reading import heard_of, ledger_of, ranked
from nas.search.words import Assignment, assignment, judged_by
from nas.seeding import derive
from nas.study import Budget
from nas.study.ledger import Heard
from nas.study.store import CONFIRM
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

# What each genotype is worth, by all that a study heard
Believer = Callable[[SearchSpace, Iterable[Heard], Sequence[Genotype]], Sequence[float]]

_OF_SEARCH = ("confirm", "strategy", "screen")


def confirmation(
    searched: Assignment,
    tree: Mapping[str, Any],
    top: int,
    evaluator: str,
    believer: Believer | None = None,
) -> Assignment:
    """The study that judges the best of a search, with seeds of its own, in a folder beside its
    log; the best are what it begins with, and all that it tries.

    Args:
        tree: the settings of the search, and in a table `confirm` those of the other judge alone.
        believer: by whose opinion they are the best; None: by their scores.
    """
    best = (
        _best(searched.folder, top)
        if believer is None
        else believed(searched.folder, searched.plan, top, believer)
    )
    seed = derive(searched.plan.seed, "confirm") % 2**31
    rest = {name: table for name, table in tree.items() if name not in _OF_SEARCH}
    study: dict[str, Any] = {"seed": seed, "out": str(searched.folder / CONFIRM)}
    if (times := searched.plan.rules.evaluations_per_trial) > 1:
        study["evaluations_per_trial"] = times
    words = {**rest, "strategy": {"name": "random-search"}, "study": study}
    begun = assignment(judged_by(evaluator, words, tree.get("confirm", {})))
    plan = replace(begun.plan, start_from=best)
    # A search that went on may have other best ones: they are another study.
    folder = searched.folder / f"{CONFIRM}-{plan.fingerprint}"
    return Assignment(plan, Budget(trials=len(best)), folder)


def came_to(searched: Assignment) -> dict[str, Any]:
    """What a search came to before its best were confirmed, and what is known of its judge."""
    folder, plan = searched.folder, searched.plan
    ledger = ledger_of(folder, plan.rules)
    stands_in = getattr(plan.evaluator.factory, "stands_in", False)
    return {
        "folder": str(folder),
        "trials": ledger.bought_trials,
        "cost_seconds": round(ledger.cost, 3),
        "audit": sentence_of_audit(plan, folder) if stands_in else None,
    }


def _best(folder: Path, top: int) -> tuple[Genotype, ...]:
    """The best distinct genotypes of a search."""
    return _distinct(folder, 20 * top)[:top]


def believed(folder: Path, plan: Plan, top: int, believer: Believer) -> tuple[Genotype, ...]:
    """Those of a search that are expected to be the best; of equals the one with the best score."""
    found = _distinct(folder, sys.maxsize)
    heard = heard_of(folder, plan.rules)
    whole = (each for each in heard if each[0].fidelity == 1)  # no short trainings
    worth = believer(plan.make_space(), whole, found)
    order = sorted(range(len(found)), key=lambda place: -worth[place])
    return tuple(found[place] for place in order[:top])


def _distinct(folder: Path, most: int) -> tuple[Genotype, ...]:
    """The genotypes of the best trials of a search, by their scores."""
    read_study_json(folder)
    found = {each.asked["key"]: each.asked["genotype"] for each in ranked(folder, most)}
    if not found:
        raise StudyError(f"{folder} has no trial that was told a score, so none can be confirmed")
    return tuple(Genotype.from_dict(record) for record in found.values())
