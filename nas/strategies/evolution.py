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

    Args:
        population: how many trials are alive, at least 1 (100, as in the paper).
        sample: how many of them meet in a tournament, 1 to `population` (25, as in the paper).
    """

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

    @property
    def learns_after(self) -> int:
        """A full population."""
        return self.population

    def ask(self, number: int) -> Proposal:
        """A random genotype until the population is full, then a mutated winner."""
        rng = numpy_rng(self.seed, "ask", number)
        if len(self._members) < self.population:
            return Proposal(self.space.sample(rng))
        return Proposal(self.space.mutate(self._winner(rng), rng))

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        """A birth; when the population is full, also the death of the oldest."""
        member = (trial.genotype, evaluation.score)
        if len(self._members) < self.population:
            self._members.append(member)
        else:
            self._members[self._told % self.population] = member
        self._told += 1

    def _winner(self, rng: np.random.Generator) -> Genotype:
        entrants: list[int] = rng.integers(self.population, size=self.sample).tolist()
        genotype, _ = max(
            (self._members[index] for index in entrants), key=lambda member: member[1]
        )
        return genotype
