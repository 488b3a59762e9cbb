"""How fast a study goes and how much is left, from what its log amounts to."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nas.study.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Pace:
    """Where a study stands between its beginning and the end of its budget.

    Args:
        share: how much of its budget is spent, from 0 to 1.
        trials_left: None where the budget counts no trials.
        seconds_a_trial: wall-clock seconds of this session for each of its trials.
        seconds_left: until the first limit of the budget is reached, at this pace.
    """

    share: float
    trials_left: int | None
    seconds_a_trial: float | None
    seconds_left: float | None


def pace_of(ledger: Ledger, now: float) -> Pace:
    """The pace of the present session.

    Args:
        now: the wall clock.
    """
    session, budget = ledger.session, ledger.budget
    seconds = max(0.0, now - session.began)
    wall = ledger.wall_before + seconds
    ended = ledger.ended_trials
    limits = (
        (ended, session.ended, budget.trials),
        (ledger.cost, session.cost, budget.seconds),
        (wall, ledger.wall_before, None if budget.hours is None else 3600 * budget.hours),
    )
    spent = [(min(done / limit, 1.0), before / limit) for done, before, limit in limits if limit]

    left = [(1 - share) * seconds / (share - before) for share, before in spent if share > before]
    new = ended - session.ended
    return Pace(
        share=max((share for share, _ in spent), default=0.0),
        trials_left=None if budget.trials is None else max(0, budget.trials - ended),
        seconds_a_trial=seconds / new if new else None,
        seconds_left=min(left, default=None),
    )


def rounds_left(ledger: Ledger, workers: int) -> int:
    """How often every worker still gets a trial; 0 where the budget counts no trials."""
    trials = ledger.budget.trials
    return 0 if trials is None else math.ceil((trials - ledger.ended_trials) / workers)


def pace_text(seconds_a_trial: float) -> str:
    """`12.6 s a trial`, or `140 trials a second`."""
    if seconds_a_trial >= 100:
        return f"{seconds_a_trial:,.0f} s a trial"
    if seconds_a_trial >= 0.5:
        return f"{seconds_a_trial:.3g} s a trial"
    return f"{1 / max(seconds_a_trial, 1e-9):,.3g} trials a second"


def clock_text(seconds: float) -> str:
    """`4:05`, or `1:20:30`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
