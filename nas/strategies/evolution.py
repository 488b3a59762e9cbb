"""Regularised evolution: winners of small tournaments have children, and the oldest die whatever
their score.

After Real, Aggarwal, Huang and Le, "Regularized Evolution for Image Classifier Architecture Search"
(2019), section "Evolutionary algorithm" and Algorithm 1 (aging evolution).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from nas.contracts import Evaluation, Proposal, Strategy, Trial
from nas.errors import SettingsError, shortened
from nas.seeding import numpy_rng
from nas.strategies._survivors import Survivors

if TYPE_CHECKING:
    import numpy as np

    from search_spaces.cells.genotype import Genotype
    from search_spaces.cells.space import SearchSpace


@final
class Evolution(Strategy):
    """Regularised evolution (Real et al. 2019): mutate the winner of a tournament among the
    youngest genotypes.

    The population is the `population` trials told last, in the order in which results arrived.
    Until it is full, proposals are random. Then each proposal draws `sample` members uniformly with
    replacement, as Algorithm 1 of the paper does, and changes one decision of the best of them; of
    equal scores the one drawn first wins.

    Where we depart from the paper: a mutation draws one decision uniformly and always changes it.
    The paper first draws the kind of mutation, and with probability 0.05 changes nothing, which
    would cost a trial for a known score.

    With several objectives a tournament is won by the better front among the living, and on equal
    fronts by the larger crowding distance; and who dies is not the oldest, but the worst by the
    same measure, as in NSGA-II (Deb et al. 2002), for age would take the front along.

    Args:
        population: how many trials are alive, at least 1 (100, as in the paper).
        sample: how many of them meet in a tournament, 1 to `population` (25, as in the paper).
    """

    takes_several = True

    def __init__(
        self, space: SearchSpace, seed: int, *, population: int = 100, sample: int = 25
    ) -> None:
        super().__init__(space, seed)
        if population < 1:
            raise SettingsError(
                f"population of evolution is {shortened(population)}, expected 1 or more"
            )
        if not 1 <= sample <= population:
            raise SettingsError(
                f"sample of evolution is {shortened(sample)}, expected 1 to {population}: a "
                "tournament cannot be "
                "larger than the population"
            )
        self.population = population
        self.sample = sample
        self._members: list[
            tuple[Genotype, float]
        ] = []  # a ring: told trial k stands at k modulo population
        self._told = 0
        self._survivors = Survivors()  # the population in their place, of several objectives

    @property
    def learns_after(self) -> int:
        """A full population."""
        return self.population

    def ask(self, number: int) -> Proposal:
        """A random genotype until the population is full, then a mutated winner."""
        rng = numpy_rng(self.seed, "ask", number)
        if self._told < self.population:
            return Proposal(self.space.sample(rng))
        return Proposal(self.space.mutate(self._winner(rng), rng))

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        """A birth; when the population is full, also the death of the oldest."""
        self._told += 1
        if evaluation.objectives:
            self._survivors.bear(trial.genotype, evaluation.objectives)
            if len(self._survivors) > self.population:
                self._survivors.bury()
        elif len(self._members) < self.population:
            self._members.append((trial.genotype, evaluation.score))
        else:
            oldest = (self._told - 1) % self.population
            self._members[oldest] = (trial.genotype, evaluation.score)

    def _winner(self, rng: np.random.Generator) -> Genotype:
        entrants: list[int] = rng.integers(self.population, size=self.sample).tolist()
        if len(self._survivors):
            return self._survivors.fittest(entrants)
        return self._members[max(entrants, key=lambda index: self._members[index][1])][0]
