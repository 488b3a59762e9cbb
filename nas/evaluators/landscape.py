"""The landscape: a synthetic score with a known optimum, for tests, tutorials and proof that a
strategy learns."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np

from nas.contracts import Evaluation, Evaluator, Report
from nas.errors import SettingsError, shortened
from nas.seeding import numpy_rng

if TYPE_CHECKING:
    from search_spaces.cells.genotype import Genotype
    from search_spaces.cells.space import Choices, SearchSpace


@final
class Landscape(Evaluator):
    """The score is the share of decisions answered like a hidden target, plus noise; the optimum is
    1.

    Args:
        noise: standard deviation of the noise, which is drawn from the trial's own seed.
        seed: which target.
        epochs: how many steps of a made-up learning curve are reported, the last of which is the
            score.
        delay_seconds: how long an evaluation sleeps, and what it costs.
        interactions: which share of the score, from 0 to 1, comes from pairs of decisions: half of
            them have a best answer for each answer of their partner, and matter only together.
    """

    cheap = True
    heeds = ("skeleton", "recipe")  # as it heeds every decision

    def __init__(
        self,
        space: SearchSpace,
        *,
        noise: float = 0.02,
        seed: int = 0,
        epochs: int = 0,
        delay_seconds: float = 0.0,
        interactions: float = 0.0,
    ) -> None:
        super().__init__(space)
        for name, value in (
            ("noise", noise),
            ("seed", seed),
            ("epochs", epochs),
            ("delay_seconds", delay_seconds),
            ("interactions", interactions),
        ):
            if not (math.isfinite(value) and value >= 0):
                raise SettingsError(
                    f"{name} of the landscape is {shortened(value)}; expected 0 or more"
                )
        self.noise, self.epochs, self.delay_seconds = noise, epochs, delay_seconds
        self.cheap = delay_seconds == 0
        self.last_step = epochs or None
        self.target = landscape_target(space.counts, seed)
        self.interactions = interactions
        self.pairs = landscape_pairs(space.counts, seed, self.target) if interactions else ()
        if interactions > 1 or (interactions and not self.pairs):
            raise SettingsError(
                f"interactions of the landscape is {shortened(interactions)}; expected a share "
                "from 0 to 1, and 0 in a space of one decision"
            )

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """The noisy score, at the end of a learning curve where `epochs` asks for one."""
        del workdir
        true_score = self.true_score(genotype)
        score = true_score + self.noise * float(numpy_rng(seed, "landscape").standard_normal())
        metrics = {"true_score": true_score}
        steps = max(self.epochs, 1)
        for step in range(1, steps + 1):
            if self.delay_seconds:
                time.sleep(self.delay_seconds / steps)
            if not self.epochs:
                continue
            reached = score * _risen(step, steps)
            if not report(step, {"score": reached}):
                return Evaluation(reached, metrics, self.delay_seconds * step / steps)
        return Evaluation(score, metrics, self.delay_seconds)

    def at(self, fidelity: float) -> Landscape:
        """A share of the seconds and steps, with more noise."""
        short = copy.copy(self)
        short.noise = self.noise / math.sqrt(fidelity)
        short.delay_seconds = self.delay_seconds * fidelity
        short.epochs = self.epochs and max(1, round(self.epochs * fidelity))
        short.last_step = short.epochs or None
        return short

    def final(self, genotype: Genotype, *, kept: Path | None = None) -> Mapping[str, float]:
        """The score without noise."""
        del kept
        return {"true_score": self.true_score(genotype)}

    def true_score(self, genotype: Genotype) -> float:
        """The share of decisions whose choice equals the target; with interactions, mixed with the
        share of pairs that go together."""
        choices = self.space.encode(genotype)
        alone = sum(
            choice == best for choice, best in zip(choices, self.target, strict=True)
        ) / len(self.target)
        if not self.pairs:
            return alone
        together = sum(
            pair.answers[choices[pair.one]] == choices[pair.other] for pair in self.pairs
        )
        return (1 - self.interactions) * alone + self.interactions * together / len(self.pairs)


class Pair(NamedTuple):
    """Two decisions that matter together: for each answer to `one`, the right answer to `other`."""

    one: int
    other: int
    answers: Choices


def landscape_target(counts: Sequence[int], seed: int) -> Choices:
    """The best choices for these numbers of options."""
    rng = np.random.default_rng(seed)
    return tuple(int(rng.integers(count)) for count in counts)


def landscape_pairs(counts: Sequence[int], seed: int, target: Choices) -> tuple[Pair, ...]:
    """All decisions in pairs, one left over where their number is odd; the target satisfies all."""
    rng = np.random.default_rng([seed, 1])
    order = rng.permutation(len(counts)).tolist()
    pairs = []
    for one, other in zip(order[::2], order[1::2], strict=False):
        answers = rng.integers(counts[other], size=counts[one]).tolist()
        answers[target[one]] = target[other]
        pairs.append(Pair(one, other, tuple(answers)))
    return tuple(pairs)


def _risen(step: int, steps: int) -> float:
    """How much of the score a learning curve has reached: steep at first, 1 exactly at the last
    step."""
    return math.expm1(-3 * step / steps) / math.expm1(-3)
