"""Splits that keep every class's share, fixed by a seed and the labels alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from nas.seeding import numpy_rng

Indices = npt.NDArray[np.int64]


def stratified(
    labels: npt.NDArray[np.int64], sizes: Sequence[int], *, seed: int, purpose: str
) -> list[Indices]:
    """Disjoint ascending index lists of exactly these sizes, each with (nearly) the classes' shares
    of the whole.

    Every image gets a rank within its class between 0 and 1, at random; cutting the images ordered
    by rank cuts every class alike.
    """
    rng = numpy_rng(seed, "split", purpose)
    ranks = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        ranks[members] = (rng.permutation(len(members)) + 0.5) / len(members)
    order = np.argsort(ranks, kind="stable")
    ends = np.cumsum([0, *sizes])
    return [np.sort(order[start:end]) for start, end in pairwise(ends)]
