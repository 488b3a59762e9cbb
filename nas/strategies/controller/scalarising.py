"""Several objectives as one reward: a weighted sum, with weights that are drawn anew for every look
at the past.

A sum with fixed weights leads to one place on the front. With weights drawn at random the same
learner is sent to all of them in turn; Knowles, "ParEGO" (2006), draws them like this.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final, final

import numpy as np
import torch
from torch import Tensor

from nas.seeding import numpy_rng
from nas.study.front import Point

_LAST: Final = 1_000


def drawn_weights(seed: int, look: int, objectives: int) -> Tensor:
    """Weights of this look, uniform among those that are positive and sum to 1; (M,)."""
    drawn = numpy_rng(seed, "objectives", look).dirichlet(np.ones(objectives))
    return torch.from_numpy(drawn)


def scalarised(points: Tensor, weights: Tensor) -> Tensor:
    """One reward for each point (N, M), at most 1; (N,).

    The unit of an objective reaches from its median to its best, so a child that diverged, or one
    that is huge, does not decide what the others are worth.
    """
    halves = points / 2  # the width of the range of floats is no float
    best, worst = halves.max(0).values, halves.min(0).values
    middle = halves.median(0).values
    low = torch.where(middle < best, middle, worst)
    unit = torch.where(low < best, best - low, torch.ones_like(best))
    return (((halves - low) / unit) * weights).sum(1)


@final
class Rewards:
    """A fold over tells, for who learns from a batch at a time: the weights change with the batch.

    A result is worth its places among the last thousand, so none is looked at twice.
    """

    def __init__(self, seed: int, batch: int) -> None:
        self._seed, self._batch = seed, batch
        self._points: deque[Point] = deque(maxlen=_LAST)
        self._told = 0

    def hear(self, point: Point) -> float:
        """The reward of a result; with one objective its score."""
        if len(point) == 1:
            return point[0]
        weights = drawn_weights(self._seed, self._told // self._batch, len(point))
        self._told += 1
        self._points.append(point)
        return float(scalarised(torch.tensor(self._points, dtype=torch.float64), weights)[-1])

    def pack(self) -> dict[str, np.ndarray]:
        """What later rewards depend on, as arrays; nothing with one objective."""
        if not self._told:
            return {}
        return {"points": np.array(self._points), "pointed": np.array([self._told])}

    def unpack(self, arrays: Mapping[str, np.ndarray]) -> None:
        """What `pack` took."""
        self._points.clear()
        self._points.extend(map(tuple, arrays["points"].tolist() if "points" in arrays else ()))
        self._told = int(arrays["pointed"][0]) if "pointed" in arrays else 0
