"""Strategies that learn beat random search where there is something to learn."""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from nas.contracts import Trial
from nas.evaluators.landscape import Landscape
from nas.registry import load
from nas.seeding import derive

SPACE = load("space", "nasnet")()


def best(name: str, seed: int, trials: int, **options: Any) -> float:
    """The largest true score of a serial search on the noisy landscape of the 50 decisions of
    NASNet."""
    strategy = load("strategy", name)(SPACE, seed, **options)
    landscape = Landscape(SPACE)
    found = 0.0
    for number in range(trials):
        proposal = strategy.ask(number)
        trial = Trial(number, proposal.genotype, derive(seed, "trial", number), proposal.notes)
        evaluation = landscape.evaluate(
            trial.genotype, seed=trial.seed, workdir=Path(), report=lambda *_: True
        )
        strategy.tell(trial, evaluation)
        found = max(found, landscape.true_score(trial.genotype))
    return found


@pytest.mark.parametrize(
    ("name", "trials", "margin", "options"),
    [
        ("evolution", 1_000, 0.2, {"population": 50, "sample": 10}),
        (
            "local-search",
            1_000,
            0.03,
            {},
        ),  # noise as large as a step makes it climb hills that are not there
        ("optuna", 200, 0.05, {"sampler": "tpe"}),
        ("optuna", 1_000, 0.05, {"sampler": "nsgaii"}),
    ],
)
def test_learning_beats_random_search(
    name: str, trials: int, margin: float, options: dict[str, Any]
) -> None:
    seeds = range(3)
    learned = mean(best(name, seed, trials, **options) for seed in seeds)
    assert learned > mean(best("random-search", seed, trials) for seed in seeds) + margin
