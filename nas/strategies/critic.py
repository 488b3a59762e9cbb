"""Search by a critic alone: a Gaussian process says which candidate is worth a trial.

After White, Neiswanger and Savani, "BANANAS: Bayesian Optimization with Neural Architectures for
Neural Architecture Search" (2021): candidates are random architectures and mutations of good ones.
Their predictor is an ensemble of networks; ours is the critic of the controller,
nas/strategies/controller/gaussian_process.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, final

import torch

from nas.contracts import Evaluation, Json, Proposal, Strategy, Trial
from nas.errors import SettingsError, shortened
from nas.seeding import numpy_rng
from nas.strategies.controller.candidates import chosen, listed, spare, uniform, with_children
from nas.strategies.controller.front_gain import candidates_for_front
from nas.strategies.controller.gaussian_process import CRITIC_VERSION, Critic, Imagined, Kernel, fit
from nas.strategies.controller.insight import Insight
from nas.strategies.controller.past import FIRST, Past
from nas.strategies.controller.policy import alone
from nas.strategies.controller.settings import MOST_COSTS

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from search_spaces.cells.space import Choices, SearchSpace

_MOST = 10_000


@final
class CriticSearch(Strategy):
    """Search by critic (BANANAS): try what should improve most on the best; there is no policy.

    The first five trials are uniform draws. Then a Gaussian process on the ranks of all scores
    judges the candidates of every trial, and the most promising have children, round after round.
    Take it for small spaces, and where the few seconds that a policy takes to load matter;
    `policy-gradient` has the same critic, and a policy besides.

    Args:
        uniform: how many uniform draws are candidates for each trial, 1 to 10,000 (320).
        mutants: how many children of the best five trials are, 0 to 10,000 (64).
        rounds: how often the most promising candidates have children, 0 to 100 (4).
        costs: the power of its expected seconds that a candidate's expected improvement is divided
            by, 0 to 10; 0 where seconds do not matter, 1 for improvement per second (0).
    """

    takes_several = True

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        *,
        uniform: int = 320,
        mutants: int = 64,
        rounds: int = 4,
        costs: float = 0.0,
    ) -> None:
        super().__init__(space, seed)
        _check("uniform", uniform, 1, _MOST)
        _check("mutants", mutants, 0, _MOST)
        _check("rounds", rounds, 0, 100)
        if isinstance(costs, bool) or not 0 <= costs <= MOST_COSTS:
            raise SettingsError(
                f"costs of critic is {shortened(costs)}; expected a number from 0 to {MOST_COSTS:g}"
            )
        self.uniform, self.mutants, self.rounds = uniform, mutants, rounds
        self.costs = costs
        self.past = Past(space, seed, timed=costs > 0)
        self._kernel = Kernel(space)
        self._insight = Insight(space.counts)
        self._critic: Critic | None = None
        self._ranked: Tensor | None = None

    @property
    def learns_after(self) -> int:
        """Uniform draws come first."""
        return FIRST

    def ask(self, number: int) -> Proposal:
        """The most promising new candidate, after as many others as earlier numbers are open."""
        with alone():
            candidates = self._candidates()
            choices = chosen(self.past, self._kernel, candidates, number, self.proposals)
            if choices is None:
                choices = spare(self.past, numpy_rng(self.seed, "ask", number))
        return Proposal(self.past.genotype(choices))

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        """Learn from a trial, whoever proposed it."""
        choices, point = self.space.encode(trial.genotype), evaluation.point
        expected = None
        if len(self.past) >= FIRST:
            with alone():
                expected = float(self._believed().mean(torch.tensor([choices]))[0])
        self._insight.hear(choices, self.past.reward(point), expected)
        self.past.hear(trial, choices, evaluation)
        self._ranked = None

    def tried(self, trial: Trial) -> None:
        """Propose it no more."""
        self.past.tried(trial)

    def diagnostics(self) -> list[dict[str, Json]]:
        """How well the critic foresaw, since the last call."""
        return self._insight.drain()

    def recorded(self) -> Mapping[str, Json]:
        """Which critic this is."""
        return {"critic_version": CRITIC_VERSION}

    def snapshot(self) -> Mapping[str, np.ndarray]:
        """The past."""
        return {**self.past.pack(), **self._insight.pack()}

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> None:
        """Continue from a snapshot."""
        self.past.unpack(snapshot)
        self._insight.unpack(snapshot)
        self._critic = self._ranked = None

    def _believed(self) -> Critic:
        """The critic of all trials told so far."""
        past, critic = self.past, self._critic
        if critic is None or critic.told < len(past):
            told = past.tensors()
            critic = fit(self._kernel, *told, past.noise(), critic, past.seconds())
            self._critic = critic
        return critic

    def _candidates(self) -> Iterator[Choices]:
        """What may come next, best first; below five trials in the order of the draws."""
        if self._ranked is None:
            rng = numpy_rng(self.seed, "imagine", len(self.past))
            self._ranked = uniform(self.space.counts, self.uniform, rng)
            if len(self.past) >= FIRST:
                self._ranked = self._with_children(self._ranked, rng)
        return listed(self._ranked)

    def _with_children(self, pool: Tensor, rng: np.random.Generator) -> Tensor:
        """The pool and children, best first: of several objectives for every other trial what
        should add most to the front, else what should improve most on the best."""
        told = self.past.objectives()
        if told[1].shape[1] > 1 and len(self.past) % 2:
            return candidates_for_front(self._kernel, told, pool, self.mutants, self.rounds, rng)
        imagined, best = Imagined(pool, len(self.past)), self.past.best()
        climb = self.mutants, self.rounds, rng, self.costs
        return with_children(self._believed(), imagined, best, *climb)


def _check(name: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not least <= value <= most:
        raise SettingsError(
            f"{name} of critic is {shortened(value)}; expected a whole number from "
            f"{least} to {most:,}"
        )
