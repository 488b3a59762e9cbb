"""Candidates for a critic: uniform draws, and children of what is good or promising."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from nas.strategies.controller.gaussian_process import (
    NOISE,
    Belief,
    Critic,
    Imagined,
    Kernel,
    Root,
    log_expected_improvement,
)
from nas.strategies.controller.past import FIRST

if TYPE_CHECKING:
    from nas.strategies.controller.past import Past
    from search_spaces.cells.space import Choices

_PARENTS = _CHILDREN = 8
_OF_EACH = 8  # draws, before there is a critic, is one taken


def uniform(counts: Sequence[int], rows: int, rng: np.random.Generator) -> Tensor:
    """Choices (rows, T), each answer as likely as any other."""
    drawn = rng.random((rows, len(counts))) * np.array(counts, dtype=np.float64)
    return torch.from_numpy(drawn.astype(np.int64))


def mutants(
    parents: Tensor, counts: Sequence[int], children: int, rng: np.random.Generator
) -> Tensor:
    """So many children of each parent, with one open decision of each answered differently."""
    rows = parents.numpy().repeat(children, 0)
    limits = np.array(counts)
    movable = np.flatnonzero(limits > 1)
    if len(movable):
        places = movable[rng.integers(len(movable), size=len(rows))]
        steps = 1 + (rng.random(len(rows)) * (limits[places] - 1)).astype(np.int64)
        where = np.arange(len(rows)), places
        rows[where] = (rows[where] + steps) % limits[places]
    return torch.from_numpy(rows)


def with_children(
    critic: Critic,
    pool: Imagined,
    best: Tensor,
    children: int,
    rounds: int,
    rng: np.random.Generator,
    costs: float = 0.0,
) -> Tensor:
    """The pool, children of the best trials, and in rounds those of the most promising; best first.

    Each round finds the better neighbours of what was found so far: a climb on what the critic
    expects, which costs no trial.

    Args:
        costs: the power of its expected seconds that a candidate's improvement is divided by, where
            the critic knows of seconds.
    """

    def promise(belief: Belief, slowness: Tensor | None) -> Tensor:
        value = log_expected_improvement(belief, critic.best)
        return value if slowness is None else value - costs * slowness

    counts = critic.kernel.counts
    found, value = pool.choices, promise(pool.by(critic), pool.slowness(critic))
    born = mutants(best, counts, -(-children // len(best)), rng)[:children]
    for _ in range(rounds):
        found = torch.cat([found, born])
        value = torch.cat([value, promise(critic(born), critic.slowness(born))])
        parents = found[value.argsort(descending=True, stable=True)[:_PARENTS]]
        born = mutants(parents, counts, _CHILDREN, rng)
    found = torch.cat([found, born])
    value = torch.cat([value, promise(critic(born), critic.slowness(born))])
    return found[value.argsort(descending=True, stable=True)]


def chosen(
    past: Past, kernel: Kernel, candidates: Iterator[Choices], number: int, proposals: int
) -> Choices | None:
    """The first new candidate after as many others as earlier numbers are open; None where there
    are not so many.

    Where trials are open before there is a critic, of every eight draws the one is taken that is
    least like what was told and what was taken of those before, so that the critic begins with
    more than chance has thrown together.
    """
    ahead = past.ahead(number, proposals)
    if ahead == number % proposals or len(past) >= FIRST:
        return past.first_new(candidates, ahead)
    wanted = range(_OF_EACH * (ahead + 1))
    drawn = [each for _, each in zip(wanted, past.new(candidates), strict=False)]
    if len(drawn) <= ahead:
        return None
    taken = drawn[:1]  # which is what is proposed where nothing is open
    for first in range(_OF_EACH, _OF_EACH * (ahead + 1), _OF_EACH):
        handful = drawn[first : first + _OF_EACH] or [c for c in drawn if c not in taken][:1]
        seen = torch.cat([past.tensors()[0], torch.tensor(taken)])
        taken.append(handful[int(_explained(kernel, seen, torch.tensor(handful)).argmin())])
    return taken[ahead]


def _explained(kernel: Kernel, seen: Tensor, choices: Tensor) -> Tensor:
    """Which share of the variance of each of these (N, T) a critic of those would explain."""
    root = Root.of(kernel, kernel.features(seen), NOISE)
    across = kernel(root.seen, kernel.features(choices)).double()
    return (root.inverse @ across).square().sum(0)


def listed(ranked: Tensor) -> Iterator[Choices]:
    """Choices (N, T) one by one; most are never looked at."""
    for first in range(0, len(ranked), _PARENTS):
        yield from map(tuple, ranked[first : first + _PARENTS].tolist())


def spare(past: Past, rng: np.random.Generator) -> Choices:
    """Where candidates run dry: a child of one of the best, or a uniform draw; new if it can be."""
    counts = past.space.counts
    parents = past.best() if len(past) else uniform(counts, 1, rng)
    drawn = torch.cat([mutants(parents, counts, 16, rng), uniform(counts, 64, rng)])
    rows = [tuple(row) for row in drawn[rng.permutation(len(drawn))].tolist()]
    return past.first_new(rows, 0) or rows[0]
