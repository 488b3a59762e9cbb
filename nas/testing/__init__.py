"""What every kind of part promises, as checks that writers of parts run on theirs.

Each `check_...` tries one part and raises an AssertionError that says which promise is broken and
how. Our own tests run the same promises, one by one (`STRATEGY_PROMISES` and so on), over whatever
parts are there; see `docs/own-parts.md`. Nothing in `nas` imports this package.

>>> from nas.testing import check_space
>>> check_space("ladder")
"""

from __future__ import annotations

from nas.testing.dataset_promises import DATASET_PROMISES, check_dataset
from nas.testing.evaluator_promises import EVALUATOR_PROMISES, check_evaluator
from nas.testing.format_promises import FORMAT_PROMISES, check_export_format
from nas.testing.op_promises import OP_PROMISES, check_op
from nas.testing.runner_promises import RUNNER_PROMISES, check_runner
from nas.testing.space_promises import SPACE_PROMISES, check_space
from nas.testing.strategy_promises import STRATEGY_PROMISES, check_strategy

__all__ = [
    "DATASET_PROMISES",
    "EVALUATOR_PROMISES",
    "FORMAT_PROMISES",
    "OP_PROMISES",
    "RUNNER_PROMISES",
    "SPACE_PROMISES",
    "STRATEGY_PROMISES",
    "check_dataset",
    "check_evaluator",
    "check_export_format",
    "check_op",
    "check_runner",
    "check_space",
    "check_strategy",
]
