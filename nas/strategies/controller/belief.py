"""What a critic makes of a whole log, whoever proposed its trials."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch

from nas.strategies.controller.gaussian_process import Kernel, fit
from nas.strategies.controller.past import Past
from nas.strategies.controller.policy import alone

if TYPE_CHECKING:
    from nas.contracts import Evaluation, Trial
    from search_spaces.cells.genotype import Genotype
    from search_spaces.cells.space import SearchSpace


def expected(
    space: SearchSpace, heard: Iterable[tuple[Trial, Evaluation]], asked: Iterable[Genotype]
) -> list[float]:
    """What each architecture should be worth without the luck of its seed, in normal scores.

    Args:
        heard: the trials to learn from, in order; a score that is told again is heard once.
    """
    past, known = Past(space, 0), set[tuple[str, float]]()
    for trial, evaluation in heard:
        told = trial.genotype.key, evaluation.score
        if told not in known:
            known.add(told)
            past.hear(trial, space.encode(trial.genotype), evaluation)
    with alone():
        critic = fit(Kernel(space), *past.tensors(), past.noise())
        rows = torch.tensor([space.encode(genotype) for genotype in asked])
        found: list[float] = critic.mean(rows).tolist()
    return found
