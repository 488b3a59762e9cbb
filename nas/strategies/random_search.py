"""The yardstick: draw uniformly over decisions and never learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from nas.contracts import Evaluation, Proposal, Strategy, Trial
from nas.seeding import numpy_rng

if TYPE_CHECKING:
    from search_spaces.cells.space import SearchSpace


@final
class RandomSearch(Strategy):
    """Random search: every decision is answered uniformly at random, whatever was learned before.
    It has no options."""

    takes_several = True
    learns = False

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, seed)

    def ask(self, number: int) -> Proposal:
        """A genotype drawn from this number alone."""
        return Proposal(self.space.sample(numpy_rng(self.seed, "ask", number)))

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        """Nothing is learned."""
