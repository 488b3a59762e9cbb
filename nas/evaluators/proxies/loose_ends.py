"""Counting what cells put out."""

from __future__ import annotations

from nas.evaluators.proxies import Untrained


def loose_ends(child: Untrained) -> float:
    """How many states its cells put out, which is how wide it is."""
    return float(sum(len(cell.output_states) for cell in child.genotype.cells.values()))
