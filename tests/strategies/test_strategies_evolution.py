"""Regularised evolution: who has children, who dies, and what a child is."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import numpy as np
import pytest

from nas.contracts import Evaluation, Strategy, Trial
from nas.errors import SettingsError
from nas.registry import load
from nas.seeding import numpy_rng
from nas.strategies.evolution import Evolution
from nas.strategies.random_search import RandomSearch
from search_spaces.cells.genotype import Genotype

SPACE = load("space", "nasnet")()


def drawn(count: int, seed: int = 0) -> list[Genotype]:
    rng = numpy_rng(seed, "members")
    return [SPACE.sample(rng) for _ in range(count)]


def tell_all(strategy: Strategy, genotypes: list[Genotype], scores: list[float]) -> None:
    for number, (genotype, score) in enumerate(zip(genotypes, scores, strict=True)):
        strategy.tell(Trial(number, genotype, number), Evaluation(score))


def changed(one: Genotype, other: Genotype) -> int:
    return sum(a != b for a, b in zip(SPACE.encode(one), SPACE.encode(other), strict=True))


def child(strategy: Strategy, number: int) -> Genotype:
    proposal = strategy.ask(number)
    assert proposal is not None
    return proposal.genotype


def test_the_first_population_is_random_search() -> None:
    evolution, yardstick = Evolution(SPACE, 3, population=5, sample=2), RandomSearch(SPACE, 3)
    tell_all(evolution, drawn(4), [1.0] * 4)
    assert child(evolution, 4) == child(yardstick, 4)
    evolution.tell(Trial(4, drawn(1)[0], 4), Evaluation(1.0))
    assert child(evolution, 5) != child(yardstick, 5)


def test_a_child_differs_from_the_winner_in_one_decision() -> None:
    """With 200 entrants out of three, the best takes part in every tournament."""
    members = drawn(200)
    evolution = Evolution(SPACE, 0, population=200, sample=200)
    tell_all(evolution, members, [0.0] * 100 + [1.0] * 100)
    for number in range(50):
        genotype = child(evolution, 200 + number)
        assert [changed(genotype, member) for member in members[100:]].count(1) == 1


def test_the_oldest_dies_however_good_it_was() -> None:
    members = drawn(6)
    evolution = Evolution(SPACE, 0, population=3, sample=3)
    tell_all(evolution, members, [9.0, 8.0, 7.0, 0.0, 0.1, 0.2])
    parents = {
        index
        for number in range(200)
        for index, member in enumerate(members)
        if changed(child(evolution, 6 + number), member) == 1
    }
    assert parents == {3, 4, 5}


def test_age_is_the_order_of_results_not_of_numbers() -> None:
    members = drawn(3)
    evolution = Evolution(SPACE, 0, population=2, sample=2)
    for number in (2, 0, 1):
        evolution.tell(Trial(number, members[number], 0), Evaluation(0.0))
    assert all(changed(child(evolution, n), members[2]) > 1 for n in range(3, 40))


def test_a_tournament_draws_with_replacement() -> None:
    """Of two members, two draws miss the better one a quarter of the time (Algorithm 1), not
    never."""
    worse, better = drawn(2)
    evolution = Evolution(SPACE, 0, population=2, sample=2)
    tell_all(evolution, [worse, better], [0.0, 1.0])
    children_of_worse = sum(
        changed(child(evolution, 2 + number), worse) == 1 for number in range(1000)
    )
    assert 200 < children_of_worse < 300


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"population": 0}, "population of evolution is 0, expected 1 or more"),
        ({"population": -3, "sample": -3}, "population of evolution is -3, expected 1 or more"),
        ({"sample": 0}, "sample of evolution is 0, expected 1 to 100"),
        (
            {"population": 10, "sample": 11},
            "sample of evolution is 11, expected 1 to 10: a tournament cannot be",
        ),
    ],
)
def test_bad_options_are_one_sentence(options: dict[str, int], sentence: str) -> None:
    with pytest.raises(SettingsError) as problem:
        Evolution(SPACE, 0, **options)
    assert sentence in str(problem.value)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("random-search", {}),
        ("evolution", {"population": 50, "sample": 10}),
        ("local-search", {}),
        ("optuna", {"sampler": "random"}),
        ("optuna", {"sampler": "nsgaii"}),
    ],
)
def test_memory_does_not_grow_with_the_study(name: str, options: dict[str, Any]) -> None:
    """What 5,000 results leave behind is no more than what 1,000 did."""
    strategy = load("strategy", name)(SPACE, 0, **options)
    genotypes = drawn(100)
    scores = np.random.default_rng(0).random(6_000).tolist()

    def held(numbers: range) -> int:
        for number in numbers:
            notes = {"generation": number // 50} if options.get("sampler") == "nsgaii" else {}
            strategy.tell(
                Trial(number, genotypes[number % 100], 0, notes), Evaluation(scores[number])
            )
        strategy.ask(numbers.stop)
        gc.collect()  # circles that nobody holds are no growth, whenever Python looks for them
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        early = held(range(1_000))
        assert held(range(1_000, 6_000)) - early < 30_000
    finally:
        tracemalloc.stop()
