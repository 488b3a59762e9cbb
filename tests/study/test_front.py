"""Fronts, the knee and the hypervolume, against what their definitions say."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nas.study.front import Front, dominates, hypervolume, knee

whole = some.integers(0, 6)
planes = some.lists(some.tuples(whole, whole), min_size=1, max_size=12)
rooms = some.lists(some.tuples(whole, whole, whole), min_size=1, max_size=10)
Points = list[tuple[float, ...]]


@given(planes | rooms)
def test_the_front_holds_what_nobody_dominates_each_point_once(points: Points) -> None:
    front: Front[int] = Front()
    for number, point in enumerate(points):
        front.offer(point, number)
    expected = {p for p in points if not any(dominates(other, p) for other in points)}
    assert set(front.points) == expected
    assert [owner for _, owner in front.members] == [
        points.index(point) for point in front.points
    ], "of equal points the first stands for both"


@given(planes | rooms)
def test_who_leaves_a_front_is_said(points: Points) -> None:
    front: Front[int] = Front()
    for number, point in enumerate(points):
        before = [owner for _, owner in front.members]
        beaten = front.offer(point, number)
        after = [owner for _, owner in front.members]
        assert (beaten is None) == (number not in after)
        assert (beaten or []) == [owner for owner in before if owner not in after]


@given(planes | rooms)
def test_the_hypervolume_counts_the_cells_below_the_points(points: Points) -> None:
    size = len(points[0])
    cells = itertools.product(range(6), repeat=size)
    covered = sum(
        any(all(c < v for c, v in zip(cell, p, strict=True)) for p in points) for cell in cells
    )
    assert hypervolume(points, ((0.0, 1.0),) * size) == pytest.approx(covered)
    assert hypervolume(points, ((0.0, 2.0),) * size) == pytest.approx(covered / 2**size)


def test_what_is_no_better_than_the_worst_that_counts_adds_nothing() -> None:
    assert hypervolume([(0.5, -3.0), (0.9, -9.0)], ((0.0, 1.0), (-5.0, -1.0))) == 0.25


def test_the_knee_is_nearest_to_the_best_of_both() -> None:
    assert knee([(0.0, 1.0), (0.8, 0.9), (1.0, 0.0)]) == 1
    assert knee([(3.0, 3.0)]) == 0
