"""The weights a study's controller has learned, by replaying its log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nas.errors import StudyError
from nas.strategies.controller.weights import write_weights
from nas.strategies.policy_gradient import PolicyGradient
from nas.study.ledger import Ledger
from nas.study.store import read_events

if TYPE_CHECKING:
    from nas.search.plan import Plan


def export_weights(folder: Path, plan: Plan, target: Path) -> Path:
    """Tell a fresh controller the past of this study, and write down what it has become."""
    strategy = plan.make_strategy(plan.make_space())
    if not isinstance(strategy, PolicyGradient):
        raise StudyError(
            f"{folder} was searched by {plan.strategy.name}, which has no weights; only policy-gradient has"
        )
    ledger = Ledger(plan.rules)
    for offset, event in read_events(folder / "events.jsonl"):
        heard = ledger.apply(event, offset)
        if heard is not None:
            strategy.tell(*heard)
            strategy.diagnostics()
    return write_weights(strategy.policy, target)
