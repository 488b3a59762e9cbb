"""The weights a controller has learned, by telling a fresh one the past of its study."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nas.contracts import Strategy
from nas.errors import StudyError
from nas.strategies.controller.weights import write_weights
from nas.strategies.policy_gradient import PolicyGradient
from nas.study.ledger import Heard


def export_weights(strategy: Strategy, past: Iterable[Heard], target: Path) -> Path:
    """Tell a fresh strategy this past, and write down what it has become."""
    if not isinstance(strategy, PolicyGradient):
        raise StudyError("this study's strategy has no weights; only policy-gradient has")
    for trial, evaluation in past:
        strategy.tell(trial, evaluation)
        strategy.diagnostics()
    return write_weights(strategy.policy, target)
