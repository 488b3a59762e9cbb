"""What every kind of part promises, as checks that writers of parts run on theirs.

Each `check_...` tries one part and raises an AssertionError that says which promise is broken and
how. Our own tests run the same promises, one by one (`STRATEGY_PROMISES` and so on), over whatever
parts are there; see `docs/own-parts.md`. Nothing in `nas` imports this package.

Each is loaded when it is first used: worker processes of runners under test need no torch.

>>> from nas.testing import check_space
>>> check_space("ladder")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.testing.dataset_promises import DATASET_PROMISES as DATASET_PROMISES
    from nas.testing.dataset_promises import check_dataset as check_dataset
    from nas.testing.evaluator_promises import EVALUATOR_PROMISES as EVALUATOR_PROMISES
    from nas.testing.evaluator_promises import check_evaluator as check_evaluator
    from nas.testing.format_promises import FORMAT_PROMISES as FORMAT_PROMISES
    from nas.testing.format_promises import check_export_format as check_export_format
    from nas.testing.op_promises import OP_PROMISES as OP_PROMISES
    from nas.testing.op_promises import check_op as check_op
    from nas.testing.runner_promises import RUNNER_PROMISES as RUNNER_PROMISES
    from nas.testing.runner_promises import check_runner as check_runner
    from nas.testing.space_promises import SPACE_PROMISES as SPACE_PROMISES
    from nas.testing.space_promises import check_space as check_space
    from nas.testing.strategy_promises import STRATEGY_PROMISES as STRATEGY_PROMISES
    from nas.testing.strategy_promises import check_strategy as check_strategy

_HOME = {
    "DATASET_PROMISES": "dataset_promises",
    "EVALUATOR_PROMISES": "evaluator_promises",
    "FORMAT_PROMISES": "format_promises",
    "OP_PROMISES": "op_promises",
    "RUNNER_PROMISES": "runner_promises",
    "SPACE_PROMISES": "space_promises",
    "STRATEGY_PROMISES": "strategy_promises",
    "check_dataset": "dataset_promises",
    "check_evaluator": "evaluator_promises",
    "check_export_format": "format_promises",
    "check_op": "op_promises",
    "check_runner": "runner_promises",
    "check_space": "space_promises",
    "check_strategy": "strategy_promises",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"nas.testing has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"nas.testing.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
