"""What a search skips at no cost: drawings that are no architectures, and networks that are too
large."""

from __future__ import annotations

from nas.contracts import Evaluator
from nas.errors import LatencyError, SettingsError
from nas.search.plan import Plan
from nas.seeding import numpy_rng
from nas.study.study import Constraint
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace


def constraint_of(plan: Plan, evaluator: Evaluator, space: SearchSpace) -> Constraint:
    """What is skipped: drawings that are no architectures, and those that are too large."""
    limits = plan.limits
    if not limits:
        return space.flaw
    known = evaluator.costs(space.sample(numpy_rng(0, "limits")))
    for name in limits:
        if name not in known:
            raise SettingsError(
                f"evaluator {plan.evaluator.name!r} does not know the {name} of a genotype before "
                "it is evaluated, "
                f"so --max-{name} cannot be held; it knows {', '.join(sorted(known)) or 'nothing'}"
            )

    def violated(genotype: Genotype) -> str | None:
        if (flaw := space.flaw(genotype)) is not None:
            return flaw
        try:
            costs = evaluator.costs(genotype)
        except LatencyError:
            return None  # its trial fails, and says why
        over = [name for name, limit in limits.items() if costs[name] > limit]
        return f"{over[0]} {costs[over[0]]:,.0f} > {limits[over[0]]:,.0f}" if over else None

    return violated
