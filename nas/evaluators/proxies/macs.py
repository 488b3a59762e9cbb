"""Counting multiply-adds."""

from __future__ import annotations

from nas.evaluators.proxies import Untrained
from search_spaces.cells import cost


def macs(child: Untrained) -> float:
    """How many multiply-adds an image takes."""
    shape = (child.skeleton.channels, child.skeleton.image_size, child.skeleton.image_size)
    return float(cost.macs(cost.network_on_meta(child.genotype, child.skeleton), shape))
