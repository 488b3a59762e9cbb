"""Kendall's tau between judges of the same genotypes, with its interval, and the ceiling that the
noise of a judge sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST: Final = 10  # genotypes below which no interval means anything
_QUANTILE: Final = 1.96


@dataclass(frozen=True, slots=True)
class Tau:
    """Kendall's tau-b with its 95 % interval; None where too few or equal scores allow none."""

    value: float
    low: float | None
    high: float | None


def mean_tau(pairs: Sequence[tuple[Floats, Floats]]) -> Tau:
    """The mean of tau-b over pairs of judges of the same genotypes.

    The interval is the jackknife's over genotypes, on Fisher's scale: it holds ties, the dependence
    of pairs on each other, and that all pairs share the genotypes. (benchmarks/audit_coverage.py)
    """
    found = [_leaving_one_out(_signs(a), _signs(b)) for a, b in pairs]
    value = float(np.mean([whole for whole, _ in found]))
    parts = np.mean([each for _, each in found], axis=0)
    count = len(parts)
    if count < FEWEST or not math.isfinite(value):
        return Tau(value if math.isfinite(value) else 0.0, None, None)
    if abs(value) > 1 - 1e-12:
        return Tau(value, value, value)

    error = math.sqrt((count - 1) / count * float(((parts - parts.mean()) ** 2).sum()))
    middle, half = math.atanh(value), _QUANTILE * error / (1 - value**2)
    return Tau(value, math.tanh(middle - half), math.tanh(middle + half))


def _signs(scores: Floats) -> Floats:
    return np.sign(scores[:, None] - scores[None, :])


def _leaving_one_out(a: Floats, b: Floats) -> tuple[float, Floats]:
    """Tau-b of all, and without each."""
    agree, of_a, of_b = (a * b).sum(1), (a * a).sum(1), (b * b).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        whole = agree.sum() / np.sqrt(of_a.sum() * of_b.sum())
        parts = (agree.sum() - 2 * agree) / np.sqrt(
            (of_a.sum() - 2 * of_a) * (of_b.sum() - 2 * of_b)
        )
    return float(whole), np.nan_to_num(parts)


def ceiling(again: float) -> float:
    """The tau with one noisy judgement that a judge without noise would have, where two noisy ones
    have `again`: normal scores have tau = 2/pi asin(rho), and rho of the noiseless one is its
    square root."""
    rho = math.sin(math.pi / 2 * max(again, 0.0))
    return 2 / math.pi * math.asin(math.sqrt(rho))
