"""What a search by critic knows: the trials told, in order, and which numbers came before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from torch import Tensor

from nas.strategies.controller.gaussian_process import NO_REPEATS, Repeats, noise_of
from nas.strategies.controller.scalarising import drawn_weights, scalarised
from nas.study.seed_spread import seed_spread

if TYPE_CHECKING:
    from nas.contracts import Evaluation, Trial
    from search_spaces.cells.genotype import Genotype
    from search_spaces.cells.space import Choices, SearchSpace

FIRST = 5  # trials before there is a critic
_BEST = 5
_WINDOW = (
    32  # of numbers: one without a result for longer than that has failed, or may as well have
)
_GENOTYPES_KEPT = 10_000


@final
class Past:
    """A fold over tells: choices, scores and keys of trials, and the last numbers among them.

    With several objectives a score is their weighted mean, with other weights after every trial.

    Args:
        seed: of these weights.
        timed: whether seconds are remembered too.
    """

    def __init__(self, space: SearchSpace, seed: int, *, timed: bool = False) -> None:
        self.space = space
        self._timed = timed
        self.seed = seed
        self.known: dict[str, None] = {}  # keys
        self.highest = -1
        self._recent: set[int] = set()  # numbers told, of the last 32
        self._count = 0
        self._choices = np.empty((64, len(space.counts)), dtype=np.int64)  # grows by doubling
        self._points = np.empty((64, 1), dtype=np.float64)
        self._errors = np.empty(64, dtype=np.float64)  # standard errors, NaN where unknown
        self._seconds = np.zeros(64 if timed else 0)
        self._rewards: Tensor | None = None  # of several objectives; follows from the points
        self._seen: dict[Choices, float] = {}  # the first score of each
        self._again: dict[Choices, set[float]] = {}  # all scores, where there is another
        self._genotypes: dict[Choices, Genotype] = {}

    def __len__(self) -> int:
        return self._count

    def hear(self, trial: Trial, choices: Choices, evaluation: Evaluation) -> None:
        """Take in a result, whoever proposed it."""
        point = evaluation.point
        if not self._count:
            self._points = np.empty((len(self._choices), len(point)))
        if self._count == len(self._points):
            self._choices = np.concatenate([self._choices, np.empty_like(self._choices)])
            self._points = np.concatenate([self._points, np.empty_like(self._points)])
            self._errors = np.concatenate([self._errors, np.empty_like(self._errors)])
            self._seconds = np.concatenate([self._seconds, np.empty_like(self._seconds)])
        self._choices[self._count], self._points[self._count] = choices, point
        spread = seed_spread(evaluation.metrics) if len(point) == 1 else None
        self._errors[self._count] = np.nan if spread is None else spread.error
        if self._timed:
            self._seconds[self._count] = evaluation.seconds
        self._count += 1
        self._rewards = None
        self._see(choices, point[0])
        self.tried(trial)

    def tried(self, trial: Trial) -> None:
        """Neither open nor new any more, whatever it scored."""
        self.known[trial.genotype.key] = None
        self.highest = max(self.highest, trial.number)
        self._recent.add(trial.number)
        self._recent = {number for number in self._recent if number > self.highest - _WINDOW}

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Choices (N, T) and scores (N,), oldest first; to be read only."""
        return torch.from_numpy(self._choices[: self._count]), self._scores()

    def objectives(self) -> tuple[Tensor, Tensor]:
        """Choices (N, T) and all objectives (N, M), oldest first; to be read only."""
        told = self._choices[: self._count], self._points[: self._count]
        return torch.from_numpy(told[0]), torch.from_numpy(told[1])

    def noise(self) -> float:
        """How noisy a score is, as the spread of seeds and repeats say where there are any."""
        errors = torch.from_numpy(self._errors[: self._count])
        return noise_of(self.tensors()[1], errors, self._repeats())

    def seconds(self) -> Tensor | None:
        """What each trial took (N,); None where that does not count."""
        return torch.from_numpy(self._seconds[: self._count]) if self._timed else None

    def best(self) -> Tensor:
        """The choices of the best five; of equals the one told first."""
        choices, scores = self.tensors()
        if len(scores) > _BEST:  # sorting all of them would take longer with every trial
            least = scores.topk(_BEST).values[-1]
            choices, scores = choices[scores >= least], scores[scores >= least]
        return choices[scores.argsort(descending=True, stable=True)[:_BEST]]

    def reward(self, point: Sequence[float]) -> float:
        """What a result would be worth, by the weights of now."""
        if len(point) == 1 or not self._count:
            return point[0]
        told = torch.from_numpy(np.vstack([self._points[: self._count], point]))
        return float(scalarised(told, self._weights())[-1])

    def share_known(self, drawn: Tensor) -> float:
        """How many of these choices (N, T) were told already, of one."""
        return sum(tuple(row) in self._seen for row in drawn.tolist()) / len(drawn)

    def ahead(self, number: int, proposals: int = 1) -> int:
        """How many earlier trials have no result yet, and how many proposals of the same trial
        come before this one.

        Trials that fail and proposals that are skipped never have one, and nobody tells a strategy
        of them. They are taken for open until 32 more numbers have come, so that failures do not
        add up.
        """
        first = -(-max(0, self.highest - _WINDOW + 1) // proposals)
        trial, last = number // proposals, self.highest // proposals
        recent = {told // proposals for told in self._recent}
        missing = sum(earlier not in recent for earlier in range(first, min(trial, last + 1)))
        return max(0, trial - last - 1) + missing + number % proposals

    def first_new(self, candidates: Iterable[Choices], ahead: int) -> Choices | None:
        """The candidate after `ahead` others, not counting keys that are known or were earlier."""
        for place, choices in enumerate(self.new(candidates)):
            if place == ahead:
                return choices
        return None

    def new(self, candidates: Iterable[Choices]) -> Iterator[Choices]:
        """Those whose keys are neither known nor earlier in the list."""
        earlier = set[str]()
        for choices in candidates:
            key = self.genotype(choices).key
            if key not in self.known and key not in earlier:
                earlier.add(key)
                yield choices

    def genotype(self, choices: Choices) -> Genotype:
        """What these choices stand for, with its key worked out once."""
        if choices not in self._genotypes:
            if len(self._genotypes) >= _GENOTYPES_KEPT:
                self._genotypes.clear()
            self._genotypes[choices] = self.space.decode(choices)
        return self._genotypes[choices]

    def pack(self) -> dict[str, np.ndarray]:
        """All of it as arrays."""
        points, errors = self._points[: self._count], self._errors[: self._count]
        return {
            **({} if np.isnan(errors).all() else {"errors": errors.copy()}),
            **({"seconds": self._seconds[: self._count].copy()} if self._timed else {}),
            "choices": self._choices[: self._count].astype(np.int32),
            "scores": points[:, 0].copy() if points.shape[1] == 1 else points.copy(),
            "keys": _text("\n".join(self.known)),
            "recent": _text(" ".join(map(str, sorted(self._recent)))),
        }

    def unpack(self, arrays: Mapping[str, np.ndarray]) -> None:
        """What `pack` took."""
        self._choices, scores = arrays["choices"].astype(np.int64), arrays["scores"]
        self._points = scores.reshape(len(scores), -1 if scores.size else 1).copy()
        self._count, self._rewards = len(scores), None
        self._errors = (
            arrays["errors"].copy() if "errors" in arrays else np.full(self._count, np.nan)
        )
        self._seconds = arrays["seconds"].copy() if self._timed else np.zeros(0)
        self._seen, self._again = {}, {}
        for row, score in zip(self._choices.tolist(), self._points[:, 0].tolist(), strict=True):
            self._see(tuple(row), score)
        keys = arrays["keys"].tobytes().decode()
        self.known = dict.fromkeys(keys.split("\n") if keys else ())
        self._recent = set(map(int, arrays["recent"].tobytes().split()))
        self.highest = max(self._recent, default=-1)
        if not self._count:
            self._choices = np.empty((64, len(self.space.counts)), dtype=np.int64)
            self._errors = np.empty(64)
            self._seconds = np.zeros(64 if self._timed else 0)

    def _see(self, choices: Choices, score: float) -> None:
        """Note what an architecture scored. An equal score is the known one, told again."""
        first = self._seen.setdefault(choices, score)
        if score != first:
            self._again.setdefault(choices, {first}).add(score)

    def _repeats(self) -> Repeats:
        """Of scores, where a study has no other objectives."""
        if not self._again or self._points.shape[1] > 1:
            return NO_REPEATS
        groups = [sorted(scores) for scores in self._again.values()]  # a set has no order
        apart = [score - sum(group) / len(group) for group in groups for score in group]
        return Repeats(sum(each * each for each in apart), len(apart) - len(groups))

    def _scores(self) -> Tensor:
        points = torch.from_numpy(self._points[: self._count])
        if points.shape[1] == 1:
            return points[:, 0]
        if self._rewards is None:
            self._rewards = scalarised(points, self._weights())
        return self._rewards

    def _weights(self) -> Tensor:
        return drawn_weights(self.seed, self._count, self._points.shape[1])


def _text(words: str) -> np.ndarray:
    """Text as an array, for numbers of any size and keys of any length."""
    return np.frombuffer(words.encode(), dtype=np.uint8).copy()
