"""The front of a study with several objectives, read from its log: who is on it, which is the knee,
how much of the range it covers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.errors import StudyError
from nas.search.plan import Plan
from nas.search.reading import ledger_of
from nas.study.front import hypervolume, knee
from nas.study.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Member:
    """A trial that no other dominates.

    Args:
        objectives: the value of each formula.
        final: what it was judged by after the search, where it was.
    """

    number: int
    objectives: Mapping[str, float]
    key: str
    metrics: Mapping[str, Any]
    seconds: float
    final: Mapping[str, float]
    genotype: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StudyFront:
    """The front of a study, the best by the first objective first.

    Args:
        hypervolume: what it covers, in units of the scales of the study; None where it has none.
    """

    members: Sequence[Member]
    knee: Member
    hypervolume: float | None


def front_of(folder: Path) -> StudyFront:
    """The front of the study in this folder."""
    plan = Plan.read(folder)
    if plan.objectives is None:
        raise StudyError(
            f"{folder} is a study with one score, so it has a best trial and no front: name two "
            "or three formulas with --objectives when a study begins"
        )
    found = front_in(plan, ledger_of(folder, plan.rules))
    if found is None:
        again = plan.resume_command(folder)
        raise StudyError(f"{folder} has no evaluated trial yet: continue it with `{again}`")
    return found


def front_in(plan: Plan, ledger: Ledger) -> StudyFront | None:
    """The front of a study that is read already; None where nothing is on it."""
    if plan.objectives is None or not ledger.front:
        return None
    ordered = sorted(ledger.front, key=lambda member: -member[0][0])
    members = []
    for point, owner in ordered:
        asked = owner.entry.asked
        members.append(
            Member(
                number=asked["number"],
                objectives=dict(zip(plan.objectives.formulas, point, strict=True)),
                key=asked["key"],
                metrics=owner.metrics,
                seconds=owner.seconds,
                final=ledger.opened.get(asked["number"], {}),
                genotype=asked["genotype"],
            )
        )
    points = [point for point, _ in ordered]
    covered = None if plan.scales is None else hypervolume(points, plan.scales)
    return StudyFront(members, members[knee(points)], covered)
