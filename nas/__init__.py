"""Who draws, who judges, what is remembered, what is shown.

The public door: what stands in `__all__` is loaded when it is first used, so `import nas` costs
nothing.

>>> import nas
>>> "search" in dir(nas)
True
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # type checkers take it for true; importing typing would cost as much again
if TYPE_CHECKING:
    from typing import Any

    from nas.contracts import Evaluation as Evaluation
    from nas.contracts import Evaluator as Evaluator
    from nas.contracts import Failure as Failure
    from nas.contracts import Proposal as Proposal
    from nas.contracts import Stopped as Stopped
    from nas.contracts import Strategy as Strategy
    from nas.contracts import Trial as Trial
    from nas.errors import NasError as NasError
    from nas.exporting.networks import build as build
    from nas.exporting.networks import export as export
    from nas.exporting.networks import predict as predict
    from nas.exporting.searched import SearchedStudy as SearchedStudy
    from nas.exporting.searched import search as search
    from nas.full_size.public import retrain as retrain
    from nas.full_size.public import transfer as transfer
    from nas.full_size.retrain import Retrained as Retrained
    from nas.full_size.transfer import Transferred as Transferred
    from nas.reports.verdict import Verdict as Verdict
    from nas.reports.verdict import compare as compare
    from nas.search.own_loop import OwnStudy as OwnStudy
    from nas.search.own_loop import OwnTrial as OwnTrial
    from nas.search.own_loop import open_study as open_study
    from runners.on_ray.for_tuners import ray_searcher as ray_searcher

__version__ = "0.1.0"

_HOMES = {
    "nas.contracts": (
        *("Evaluation", "Evaluator", "Failure", "Proposal", "Stopped", "Strategy", "Trial"),
    ),
    "nas.errors": ("NasError",),
    "nas.exporting.networks": ("build", "export", "predict"),
    "nas.exporting.searched": ("SearchedStudy", "search"),
    "nas.full_size.public": ("retrain", "transfer"),
    "nas.full_size.retrain": ("Retrained",),
    "nas.full_size.transfer": ("Transferred",),
    "nas.reports.verdict": ("Verdict", "compare"),
    "nas.search.own_loop": ("OwnStudy", "OwnTrial", "open_study"),
    "runners.on_ray.for_tuners": ("ray_searcher",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "__version__",
    *sorted(_HOME),
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"nas has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
