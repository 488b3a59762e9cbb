"""How often an audit's interval covers the true tau, and how often its sentence errs, on synthetic
judges whose tau is known."""

from __future__ import annotations

import json
import math
from itertools import product

import numpy as np

from nas.reports.rank_agreement import SCREENS_FROM, agreement, ceiling, search_from
from nas.seeding import numpy_rng

RUNS = 1000
COUNTS = (20, 40, 120)
CORRELATIONS = ((0.0, 0.3), (0.0, 0.6), (0.157, 0.575), (0.3, 0.575), (0.6, 0.575), (0.9, 0.95))


def main() -> None:
    """The correlations are of the cheap judge with the true one, and of the true one with
    itself."""
    for count, (cheap, again) in product(COUNTS, CORRELATIONS):
        covered, wrong = simulated(count, cheap, again)
        tau, noise = 2 / math.pi * math.asin(cheap), 2 / math.pi * math.asin(again)
        case = f"{count} genotypes, tau {tau:.2f}, with itself {noise:.2f}"
        for name, value in (("intervals that cover", covered), ("sentences that err", wrong)):
            figure = {"name": f"{name}: {case}", "value": 100 * value, "unit": "%"}
            print(json.dumps({**figure, "reference": None, "ratio": None}), flush=True)


def simulated(count: int, cheap: float, again: float) -> tuple[float, float]:
    """Shares of audits that cover, and whose sentence claims what is not so."""
    rng, covered, wrong = numpy_rng(0, "audit", count, str(cheap), str(again)), 0, 0
    tau = 2 / math.pi * math.asin(cheap)
    searches = search_from(ceiling(2 / math.pi * math.asin(again)))
    covariance = [[1.0, cheap, cheap], [cheap, 1.0, again], [cheap, again, 1.0]]
    for _ in range(RUNS):
        c, *t = rng.multivariate_normal(np.zeros(3), covariance, count).T
        found = agreement(c, t)
        assert found.tau.low is not None
        assert found.tau.high is not None
        covered += found.tau.low <= tau <= found.tau.high
        too_much = {"search": tau < searches, "screen": tau < SCREENS_FROM}
        wrong += {**too_much, "not": tau >= SCREENS_FROM}.get(found.worth, False)
    return covered / RUNS, wrong / RUNS


if __name__ == "__main__":
    main()
