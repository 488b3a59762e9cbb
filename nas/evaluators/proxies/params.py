"""Counting parameters."""

from __future__ import annotations

from nas.evaluators.proxies import Untrained
from search_spaces.cells import cost


def params(child: Untrained) -> float:
    """How many parameters it has."""
    return float(cost.params(cost.network_on_meta(child.genotype, child.skeleton)))
