"""What a search by critic knows: the trials told, in order, and which numbers came before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from torch import Tensor

from nas.strategies.controller.gaussian_process import noise_of
from nas.study.seed_spread import seed_spread

if TYPE_CHECKING:
    from nas.contracts import Evaluation, Trial
    from search_spaces.cells.space import Choices, SearchSpace

FIRST = 5  # trials before there is a critic
_BEST = 5
_WINDOW = (
    32  # of numbers: one without a result for longer than that has failed, or may as well have
)
_KEYS_KEPT = 10_000


@final
class Past:
    """A fold over tells: choices, scores and keys of trials, and the last numbers among them."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.known: dict[str, None] = {}  # keys
        self.highest = -1
        self._recent: set[int] = set()  # numbers told, of the last 32
        self._count = 0
        self._choices = np.empty((64, len(space.counts)), dtype=np.int64)  # grows by doubling
        self._scores = np.empty(64, dtype=np.float64)
        self._errors = np.empty(64, dtype=np.float64)  # standard errors, NaN where unknown
        self._seen: set[Choices] = set()
        self._keys: dict[Choices, str] = {}

    def __len__(self) -> int:
        return self._count

    def hear(self, trial: Trial, choices: Choices, evaluation: Evaluation) -> None:
        """Take in a result, whoever proposed it."""
        if self._count == len(self._scores):
            self._choices = np.concatenate([self._choices, np.empty_like(self._choices)])
            self._scores = np.concatenate([self._scores, np.empty_like(self._scores)])
            self._errors = np.concatenate([self._errors, np.empty_like(self._errors)])
        self._choices[self._count], self._scores[self._count] = choices, evaluation.score
        spread = seed_spread(evaluation.metrics)
        self._errors[self._count] = np.nan if spread is None else spread.error
        self._count += 1
        self._seen.add(choices)
        self.tried(trial)

    def tried(self, trial: Trial) -> None:
        """Neither open nor new any more, whatever it scored."""
        self.known[trial.genotype.key] = None
        self.highest = max(self.highest, trial.number)
        self._recent.add(trial.number)
        self._recent = {number for number in self._recent if number > self.highest - _WINDOW}

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Choices (N, T) and scores (N,), oldest first; to be read only."""
        choices, scores = self._choices[: self._count], self._scores[: self._count]
        return torch.from_numpy(choices), torch.from_numpy(scores)

    def noise(self) -> float:
        """How noisy a score is, as the spread of seeds says where there is one."""
        errors = torch.from_numpy(self._errors[: self._count])
        return noise_of(self.tensors()[1], errors)

    def best(self) -> Tensor:
        """The choices of the best five; of equals the one told first."""
        choices, scores = self.tensors()
        return choices[scores.argsort(descending=True, stable=True)[:_BEST]]

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
        earlier = set[str]()
        for choices in candidates:
            key = self._key(choices)
            if key in self.known or key in earlier:
                continue
            if len(earlier) == ahead:
                return choices
            earlier.add(key)
        return None

    def pack(self) -> dict[str, np.ndarray]:
        """All of it as arrays."""
        errors = self._errors[: self._count]
        return {
            **({} if np.isnan(errors).all() else {"errors": errors.copy()}),
            "choices": self._choices[: self._count].astype(np.int32),
            "scores": self._scores[: self._count].copy(),
            "keys": _text("\n".join(self.known)),
            "recent": _text(" ".join(map(str, sorted(self._recent)))),
        }

    def unpack(self, arrays: Mapping[str, np.ndarray]) -> None:
        """What `pack` took."""
        self._choices, self._scores = arrays["choices"].astype(np.int64), arrays["scores"].copy()
        self._count = len(self._scores)
        self._errors = (
            arrays["errors"].copy() if "errors" in arrays else np.full(self._count, np.nan)
        )
        self._seen = {tuple(row) for row in self._choices.tolist()}
        keys = arrays["keys"].tobytes().decode()
        self.known = dict.fromkeys(keys.split("\n") if keys else ())
        self._recent = set(map(int, arrays["recent"].tobytes().split()))
        self.highest = max(self._recent, default=-1)
        if not self._count:
            self._choices, self._scores, self._errors = (
                np.empty((64, len(self.space.counts)), dtype=np.int64),
                np.empty(64),
                np.empty(64),
            )

    def _key(self, choices: Choices) -> str:
        if choices not in self._keys:
            if len(self._keys) >= _KEYS_KEPT:
                self._keys.clear()
            self._keys[choices] = self.space.decode(choices).key
        return self._keys[choices]


def _text(words: str) -> np.ndarray:
    """Text as an array, for numbers of any size and keys of any length."""
    return np.frombuffer(words.encode(), dtype=np.uint8).copy()
