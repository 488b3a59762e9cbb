"""The weights a study's controller has learned, by replaying its log."""

from __future__ import annotations

from pathlib import Path

from nas.contracts import Strategy
from nas.errors import StudyError
from nas.strategies.controller.weights import write_weights
from nas.strategies.policy_gradient import PolicyGradient
from nas.study.ledger import Ledger
from nas.study.rules import Rules
from nas.study.store import read_events


def export_weights(folder: Path, strategy: Strategy, rules: Rules, target: Path) -> Path:
    """Tell a fresh controller the past of this study, and write down what it has become."""
    if not isinstance(strategy, PolicyGradient):
        raise StudyError(
            f"{folder} was searched by a strategy which has no weights; only policy-gradient has"
        )
    ledger = Ledger(rules)
    for offset, event in read_events(folder / "events.jsonl"):
        heard = ledger.apply(event, offset)
        if heard is not None:
            strategy.tell(*heard)
            strategy.diagnostics()
    return write_weights(strategy.policy, target)
