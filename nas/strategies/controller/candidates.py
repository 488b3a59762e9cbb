"""Candidates for a critic: uniform draws, and children of what is good or promising."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from nas.strategies.controller.gaussian_process import Critic, log_expected_improvement

if TYPE_CHECKING:
    from nas.strategies.controller.past import Past
    from search_spaces.cells.space import Choices

_PARENTS = _CHILDREN = 8


def uniform(counts: Sequence[int], rows: int, rng: np.random.Generator) -> Tensor:
    """Choices (rows, T), each answer as likely as any other."""
    drawn = rng.random((rows, len(counts))) * np.array(counts, dtype=np.float64)
    return torch.from_numpy(drawn.astype(np.int64))


def mutants(
    parents: Tensor, counts: Sequence[int], children: int, rng: np.random.Generator
) -> Tensor:
    """So many children of each parent, with one open decision of each answered differently."""
    rows = parents.repeat_interleave(children, 0)
    limits = np.array(counts)
    movable = np.flatnonzero(limits > 1)
    if not len(movable):
        return rows
    places = movable[rng.integers(len(movable), size=len(rows))]
    steps = 1 + (rng.random(len(rows)) * (limits[places] - 1)).astype(np.int64)
    where = torch.arange(len(rows)), torch.from_numpy(places)
    moved = (rows[where].numpy() + steps) % limits[places]
    rows[where] = torch.from_numpy(moved)
    return rows


def with_children(
    critic: Critic,
    pool: Tensor,
    best: Tensor,
    children: int,
    rounds: int,
    rng: np.random.Generator,
) -> Tensor:
    """The pool, children of the best trials, and in rounds those of the most promising; best first.

    Each round finds the better neighbours of what was found so far: a climb on what the critic
    expects, which costs no trial.
    """
    counts = critic.kernel.counts
    pool = torch.cat([pool, mutants(best, counts, -(-children // len(best)), rng)[:children]])
    value = log_expected_improvement(critic(pool), critic.best)
    for _ in range(rounds):
        parents = pool[value.argsort(descending=True, stable=True)[:_PARENTS]]
        born = mutants(parents, counts, _CHILDREN, rng)
        pool = torch.cat([pool, born])
        value = torch.cat([value, log_expected_improvement(critic(born), critic.best)])
    return pool[value.argsort(descending=True, stable=True)]


def spare(past: Past, rng: np.random.Generator) -> Choices:
    """Where candidates run dry: a child of one of the best, or a uniform draw; new if it can be."""
    counts = past.space.counts
    parents = past.best() if len(past) else uniform(counts, 1, rng)
    drawn = torch.cat([mutants(parents, counts, 16, rng), uniform(counts, 64, rng)])
    rows = [tuple(row) for row in drawn[rng.permutation(len(drawn))].tolist()]
    return past.first_new(rows, 0) or rows[0]
