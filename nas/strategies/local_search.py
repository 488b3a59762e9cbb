"""Hill climbing: move to the first better neighbour, and start anew at random on a peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from nas.contracts import Evaluation, Proposal, Strategy, Trial
from nas.seeding import numpy_rng
from nas.study.front import Front, Point

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from search_spaces.cells.genotype import Genotype
    from search_spaces.cells.space import Choices, SearchSpace

Move = tuple[int, int]  # a decision, and how many options further its answer is


@final
class LocalSearch(Strategy):
    """Local search: climb to the first better neighbour, and start at random once no neighbour is
    better.

    A neighbour answers one decision differently. The neighbours of an incumbent are put in a random
    order, and each number takes the next one. The second time round only those without a result are
    tried again; after that, and where there is nothing to try again, a number proposes a random
    start. A start that is told while the incumbent it was to leave still stands begins a new climb.
    Otherwise a trial takes over when it beats the incumbent and belongs to this climb, or when it
    beats everything told so far. So late results of an abandoned climb do not pull the search back,
    unless they are a record.

    With several objectives there is no single incumbent: neighbours of all that is on the front are
    tried, in a random order that is made anew whenever the front changes, without those that have a
    result. The second time round and random starts are as above. It has no options.
    """

    takes_several = True

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, seed)
        self._moves = [
            (index, step) for index, count in enumerate(space.counts) for step in range(1, count)
        ]
        self._order: list[int] = []  # the moves of this incumbent, shuffled
        self._known: set[int] = set()  # places in that order which have a result
        self._incumbent: Genotype | None = None
        self._score = self._record = -float("inf")
        self._version = 0  # counts incumbents
        self._climb = 0  # the version at which this climb began
        self._base = 0  # the number that takes the first neighbour
        self._highest = -1  # the largest number told
        self._front: _AlongFront | None = None  # the climb, where there are several objectives

    def ask(self, number: int) -> Proposal:
        """The next neighbour of the incumbent, or a random start."""
        if self._front is not None:
            if (choices := self._front.next(number)) is not None:
                return Proposal(self.space.decode(choices))
            return Proposal(self.space.sample(numpy_rng(self.seed, "ask", number)))
        place = self._place(number)
        notes = {"version": self._version, "place": place}
        if place is None:
            return Proposal(self.space.sample(numpy_rng(self.seed, "ask", number)), notes)
        return Proposal(self._neighbour(place), notes)

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        """Move there, or remember that this neighbour is no better."""
        if evaluation.objectives:
            self._front = self._front or _AlongFront(self.space.counts, self._moves, self.seed)
            choices = self.space.encode(trial.genotype)
            self._front.hear(trial.number, choices, evaluation.objectives)
            return
        version, place = trial.notes.get("version"), trial.notes.get("place")
        self._highest = max(self._highest, trial.number)
        if self._takes_over(version, place, evaluation.score):
            self._move(trial.genotype, evaluation.score)
            if place is None or version is None or version < self._climb:
                self._climb = self._version
        elif version == self._version and place is not None:
            self._known.add(place)
        self._record = max(self._record, evaluation.score)

    def _place(self, number: int) -> int | None:
        if self._incumbent is None or not self._moves:
            return None
        lap, place = divmod(number - self._base, len(self._moves))
        return place if lap <= 0 or (lap == 1 and place not in self._known) else None

    def _neighbour(self, place: int) -> Genotype:
        assert self._incumbent is not None
        choices, move = self.space.encode(self._incumbent), self._moves[self._order[place]]
        return self.space.decode(_moved(choices, move, self.space.counts))

    def _takes_over(self, version: int | None, place: int | None, score: float) -> bool:
        """Trials without notes come from the user, and those without a place are starts: both
        belong to any climb."""
        if self._incumbent is None or score > self._record:
            return True
        if version == self._version and place is None:
            return True
        return score > self._score and (version is None or place is None or version >= self._climb)

    def _move(self, genotype: Genotype, score: float) -> None:
        self._version += 1
        self._incumbent, self._score = genotype, score
        # Numbers up to the largest one told are gone; with several workers a few more are, and lap
        # two covers those.
        self._base = self._highest + 1
        self._order = (
            numpy_rng(self.seed, "neighbours", self._version).permutation(len(self._moves)).tolist()
        )
        self._known = set()


@final
@dataclass(slots=True, eq=False)
class _Member:
    """Somebody on the front.

    Args:
        own: which of its moves lead to neighbours without a result that no earlier member has.
    """

    choices: Choices
    own: NDArray[np.bool_]


@final
class _AlongFront:
    """Which neighbour of the front comes next: a fold over results.

    The neighbours of all members without a result, each once, in a random order that is drawn when
    the front changes. Which they are is kept up to date member by member: a front may have a
    hundred, with hundreds of neighbours each.
    """

    def __init__(self, counts: Sequence[int], moves: Sequence[Move], seed: int) -> None:
        self._seed = seed
        self._counts = counts
        self._moves = moves  # of each member
        self._front: Front[_Member] = Front()
        self._known: set[Choices] = set()
        # Of each neighbour without a result: whose it is and by which move, the earliest first.
        self._ways: dict[Choices, list[tuple[_Member, int]]] = {}
        self._order = np.empty(0, dtype=np.int64)  # moves of all members, as they are to be tried
        self._version = 0  # counts fronts
        self._base = 0  # the number that takes the first of them
        self._highest = -1  # the largest number told

    def next(self, number: int) -> Choices | None:
        """The neighbour for this number; None for a random start."""
        if not len(self._order):
            return None
        lap, place = divmod(number - self._base, len(self._order))
        if lap > 1:
            return None
        whose, move = divmod(int(self._order[place]), len(self._moves))
        member = self._front.members[whose][1]
        choices = _moved(member.choices, self._moves[move], self._counts)
        return choices if lap <= 0 or choices not in self._known else None

    def hear(self, number: int, choices: Choices, point: Point) -> None:
        """Take in a result; a front that changed gives a new order."""
        self._highest = max(self._highest, number)
        self._known.add(choices)
        for member, move in self._ways.pop(choices, ())[:1]:
            member.own[move] = False

        newcomer = _Member(choices, np.zeros(len(self._moves), dtype=np.bool_))
        beaten = self._front.offer(point, newcomer)
        if beaten is None:
            return
        for member in beaten:
            self._leave(member)
        self._join(newcomer)
        self._version += 1
        self._base = self._highest + 1
        self._order = self._shuffled()

    def _join(self, newcomer: _Member) -> None:
        for move, choices in enumerate(self._neighbours(newcomer.choices)):
            if choices not in self._known:
                ways = self._ways.setdefault(choices, [])
                newcomer.own[move] = not ways
                ways.append((newcomer, move))

    def _leave(self, member: _Member) -> None:
        """Its neighbours pass to the next member that has them."""
        for move, choices in enumerate(self._neighbours(member.choices)):
            if ways := self._ways.get(choices):
                ways.remove((member, move))
                if ways:
                    heir, its_move = ways[0]
                    heir.own[its_move] = True
                else:
                    del self._ways[choices]

    def _neighbours(self, choices: Choices) -> list[Choices]:
        """What every move leads to."""
        return [_moved(choices, move, self._counts) for move in self._moves]

    def _shuffled(self) -> NDArray[np.int64]:
        """The moves to be tried, of the first member, of the second and so on, shuffled."""
        left = np.flatnonzero(np.concatenate([member.own for _, member in self._front.members]))
        return left[numpy_rng(self._seed, "neighbours", self._version).permutation(len(left))]


def _moved(choices: Choices, move: Move, counts: Sequence[int]) -> Choices:
    """With one decision answered so many options further."""
    index, step = move
    return (*choices[:index], (choices[index] + step) % counts[index], *choices[index + 1 :])
