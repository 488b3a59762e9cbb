"""What every strategy promises, over whatever strategies there are."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from nas.registry import load, names
from nas.testing.promises import Promise
from nas.testing.strategy_promises import (
    PROMISES_OF_ONE,
    PROMISES_OF_SEVERAL,
    Make,
    Odd,
    describes_its_options,
    strategy_maker,
)
from search_spaces.cells.decided_settings import DecidedSettings
from search_spaces.cells.space import SearchSpace

# Options under which a strategy begins to learn within a few trials; none: its defaults.
QUICK: dict[str, dict[str, Any]] = {
    "evolution": {"population": 5, "sample": 3},
    "optuna:tpe": {"sampler": "tpe", "n_startup_trials": 4},
    "optuna:random": {"sampler": "random"},
    "optuna:nsgaii": {"sampler": "nsgaii", "population_size": 4},
    "optuna:gp": {"sampler": "gp", "n_startup_trials": 4},
}
SPOKEN = [name for name in names("strategy") if name != "optuna"]
SPOKEN += [spoken for spoken in QUICK if spoken.startswith("optuna:")]
SPACES = ["odd", "ladder", "ladder with settings", "nasbench201", "nasnet"]
PARTS = [
    pytest.param(spoken, marks=pytest.mark.slow) if spoken == "optuna:gp" else spoken
    for spoken in SPOKEN
]


@functools.cache
def space_called(name: str) -> SearchSpace:
    if name == "ladder with settings":
        settings = {"skeleton.filters": [16, 24, 32], "recipe.learning_rate": [0.01, 0.05]}
        return DecidedSettings(space=load("space", "ladder")(), settings=settings)
    return Odd() if name == "odd" else load("space", name)()


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return space_called(request.param)


@pytest.fixture(params=PARTS)
def make(request: pytest.FixtureRequest, space: SearchSpace) -> Make:
    """Makes a fresh strategy of one kind on one space, which learns within a few trials."""
    spoken = request.param
    if spoken == "optuna:gp" and space.name == "nasnet":
        pytest.skip("GP is refused on large spaces")
    part = load("strategy", spoken.partition(":")[0])
    return strategy_maker(part, space, **QUICK.get(spoken, {}))


def test_there_are_strategies_to_test() -> None:
    assert {"random-search", "evolution", "local-search", "optuna"} <= set(names("strategy"))


@pytest.mark.parametrize("promise", PROMISES_OF_ONE, ids=lambda promise: promise.__name__)
def test_every_strategy(promise: Promise, make: Make) -> None:
    promise(make)


@pytest.mark.parametrize(
    "space",
    ["odd", "ladder with settings", pytest.param("nasnet", marks=pytest.mark.slow)],
    indirect=True,
)
@pytest.mark.parametrize("promise", PROMISES_OF_SEVERAL, ids=lambda promise: promise.__name__)
def test_every_strategy_with_several_objectives(promise: Promise, make: Make) -> None:
    promise(make)


@pytest.mark.parametrize("name", names("strategy"))
def test_its_options_are_described_and_its_defaults_work(name: str) -> None:
    part = load("strategy", name)
    describes_its_options(part)
    assert part(space_called("odd"), 0).ask(0) is not None
