"""Local search: neighbours in turn, the first better one, restarts on peaks, and what late results
may do."""

from __future__ import annotations

import pytest

from nas.contracts import Evaluation, Proposal, Trial
from nas.evaluators.landscape import landscape_target
from nas.registry import load
from nas.strategies.local_search import LocalSearch
from search_spaces.cells.space import Choices

SPACE = load("space", "nasnet")()
TARGET = landscape_target(SPACE.counts, 0)
NEIGHBOURS = sum(count - 1 for count in SPACE.counts)


def choices(proposal: Proposal) -> Choices:
    found: Choices = SPACE.encode(proposal.genotype)
    return found


def distance(one: Choices, other: Choices) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


def true_score(proposal: Proposal) -> float:
    return 1 - distance(choices(proposal), TARGET) / len(TARGET)


def tell(strategy: LocalSearch, number: int, proposal: Proposal, score: float) -> None:
    strategy.tell(Trial(number, proposal.genotype, number, proposal.notes), Evaluation(score))


@pytest.fixture
def peak() -> tuple[LocalSearch, Choices]:
    """A search whose first trial scored 1."""
    strategy = LocalSearch(SPACE, 0)
    start = strategy.ask(0)
    tell(strategy, 0, start, 1.0)
    return strategy, choices(start)


def test_every_neighbour_is_tried_once_before_a_restart(peak: tuple[LocalSearch, Choices]) -> None:
    strategy, top = peak
    seen = set()
    for number in range(1, 1 + NEIGHBOURS):
        proposal = strategy.ask(number)
        assert distance(choices(proposal), top) == 1
        seen.add(choices(proposal))
        tell(strategy, number, proposal, 0.0)
    assert len(seen) == NEIGHBOURS
    restart = strategy.ask(1 + NEIGHBOURS)
    assert distance(choices(restart), top) > 5
    tell(strategy, 1 + NEIGHBOURS, restart, -1.0)
    assert distance(choices(strategy.ask(2 + NEIGHBOURS)), choices(restart)) == 1


def test_it_climbs_a_hill_to_the_top() -> None:
    """A landscape without local peaks is climbed in one go, one better decision after the other."""
    strategy = LocalSearch(SPACE, 5)
    best, number = 0.0, 0
    while best < 1:
        proposal = strategy.ask(number)
        score = true_score(proposal)
        assert number == 0 or score >= best - 1.5 / len(TARGET)
        tell(strategy, number, proposal, score)
        best, number = max(best, score), number + 1
        assert number < len(TARGET) * NEIGHBOURS


def test_the_order_of_neighbours_changes_with_the_incumbent_and_the_seed() -> None:
    def moves(seed: int, version: int) -> list[int]:
        strategy = LocalSearch(SPACE, seed)
        start = strategy.ask(0)
        for number in range(version):
            tell(strategy, 0, Proposal(start.genotype), float(number))
        asks = (choices(strategy.ask(number)) for number in range(1, 30))
        return [
            [a != b for a, b in zip(ask, choices(start), strict=True)].index(True) for ask in asks
        ]

    assert moves(0, 1) == moves(0, 1)
    assert moves(0, 1) != moves(0, 2)
    assert moves(0, 1) != moves(1, 1)


def test_neighbours_without_a_result_get_a_second_turn_and_no_third(
    peak: tuple[LocalSearch, Choices],
) -> None:
    """Trials that failed, or were drawn for an older incumbent by other workers, do not stop the
    search."""
    strategy, top = peak
    lost = {3, 40}
    for number in range(1, 1 + NEIGHBOURS):
        if number not in lost:
            tell(strategy, number, strategy.ask(number), 0.0)
    second = {
        n
        for n in range(1, 1 + NEIGHBOURS)
        if distance(choices(strategy.ask(n + NEIGHBOURS)), top) == 1
    }
    third = {
        n
        for n in range(1, 1 + NEIGHBOURS)
        if distance(choices(strategy.ask(n + 2 * NEIGHBOURS)), top) == 1
    }
    assert (second, third) == (lost, set())


def test_workers_share_the_neighbours(peak: tuple[LocalSearch, Choices]) -> None:
    strategy, _ = peak
    flying = [choices(strategy.ask(number)) for number in range(1, 9)]
    assert len(set(flying)) == 8


def test_a_late_result_of_an_abandoned_climb_counts_only_as_a_record(
    peak: tuple[LocalSearch, Choices],
) -> None:
    strategy, _ = peak
    late, later = strategy.ask(1), strategy.ask(2)
    restart = strategy.ask(1 + 2 * NEIGHBOURS)
    tell(strategy, 1 + 2 * NEIGHBOURS, restart, 0.2)
    tell(strategy, 1, late, 0.9)
    following = 2 + 2 * NEIGHBOURS
    assert distance(choices(strategy.ask(following)), choices(restart)) == 1
    tell(strategy, 2, later, 1.1)
    assert distance(choices(strategy.ask(following)), choices(later)) == 1


def test_a_late_result_of_this_climb_counts_when_it_is_better(
    peak: tuple[LocalSearch, Choices],
) -> None:
    strategy, _ = peak
    first, second = strategy.ask(1), strategy.ask(2)
    tell(strategy, 1, first, 1.1)
    tell(strategy, 2, second, 1.2)
    assert distance(choices(strategy.ask(3)), choices(second)) == 1


def test_a_restart_in_flight_does_not_end_a_climb_that_goes_on(
    peak: tuple[LocalSearch, Choices],
) -> None:
    """Several workers ask for restarts while the last neighbours are out; one of those may still be
    better."""
    strategy, _ = peak
    last, restart = strategy.ask(NEIGHBOURS), strategy.ask(1 + 2 * NEIGHBOURS)
    tell(strategy, NEIGHBOURS, last, 1.5)
    tell(strategy, 1 + 2 * NEIGHBOURS, restart, 1.2)
    assert distance(choices(strategy.ask(2 + 2 * NEIGHBOURS)), choices(last)) == 1


def test_a_users_genotype_is_climbed_from() -> None:
    strategy = LocalSearch(SPACE, 0)
    guest = Proposal(SPACE.decode(TARGET))
    tell(strategy, 0, guest, 0.5)
    assert distance(choices(strategy.ask(1)), TARGET) == 1
