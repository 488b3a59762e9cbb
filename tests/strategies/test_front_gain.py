"""What a candidate should add to a front: the hypervolume it would add, averaged over what is
believed of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nas.registry import load
from nas.seeding import numpy_rng
from nas.strategies.controller.candidates import uniform
from nas.strategies.controller.front_gain import FrontGain, _in_units, _Scale, candidates_for_front
from nas.strategies.controller.gaussian_process import Belief, Kernel
from nas.study.front import Front, hypervolume

SPACE = load("space", "nasbench201")()
KERNEL = Kernel(SPACE)


def told(objectives: int, trials: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    """Trials whose objectives are against each other."""
    rng = numpy_rng(0, "told", objectives)
    choices = uniform(SPACE.counts, trials, rng)
    points = rng.random((trials, objectives))
    return choices, torch.from_numpy(points / points.sum(1, keepdims=True))


def gain_of(beliefs: list[Belief], objectives: int) -> torch.Tensor:
    """The gain of candidates of which just this is believed, where values are normal scores."""
    gain = FrontGain(KERNEL, *told(objectives))
    gain._critics = [lambda _, belief=belief: belief for belief in beliefs]
    gain._scales = [_Scale(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 1.0)] * objectives
    return gain(torch.zeros(len(beliefs[0].mean), len(SPACE.counts), dtype=torch.int64))


def covered(front: list[tuple[float, ...]], more: np.ndarray) -> float:
    """What a point adds."""
    scales = ((0.0, 1.0),) * len(more)
    return hypervolume([*front, tuple(more.tolist())], scales) - hypervolume(front, scales)


def front_of(objectives: int) -> list[tuple[float, ...]]:
    front: Front[None] = Front()
    for point in _in_units(told(objectives)[1]).tolist():
        front.offer(tuple(point), None)
    return front.points


@pytest.mark.parametrize("objectives", [2, 3])
def test_of_a_sure_candidate_it_is_the_hypervolume_that_it_adds(objectives: int) -> None:
    points = 3 * numpy_rng(1, "candidates").random((50, objectives))
    sure = [Belief(torch.from_numpy(column), torch.full((50,), 1e-9)) for column in points.T]
    added = [covered(front_of(objectives), point) for point in points]
    assert gain_of(sure, objectives).numpy() == pytest.approx(added, abs=1e-6)
    assert 0 < sum(each > 0 for each in added) < 50


@pytest.mark.parametrize("objectives", [2, 3])
def test_of_a_doubtful_one_it_is_the_mean_of_that(objectives: int) -> None:
    mean, deviation = np.array([1.0, 1.2, 0.9][:objectives]), 0.3
    doubtful = [
        Belief(torch.tensor([each]), torch.tensor([deviation], dtype=torch.float64))
        for each in mean
    ]
    drawn = numpy_rng(2, "draws").normal(mean, deviation, (2_000, objectives))
    expected = np.mean([covered(front_of(objectives), point.clip(min=0)) for point in drawn])
    assert float(gain_of(doubtful, objectives)[0]) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("objectives", [2, 3])
def test_values_that_are_equal_or_beyond_measure_do_no_harm(objectives: int) -> None:
    choices, points = told(objectives)
    points[:, 0] = 0.5
    points[3, 1] = -1e308
    rng = numpy_rng(3, "pool")
    found = candidates_for_front(
        KERNEL, (choices, points), uniform(SPACE.counts, 30, rng), 8, 2, rng
    )
    assert found.shape == (30 + 8 + 2 * 64, len(SPACE.counts))
    assert FrontGain(KERNEL, choices, points)(found).isfinite().all()
