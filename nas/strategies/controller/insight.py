"""How well a critic foresees and what its policy does, as records for the log, with alarms."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, final

import numpy as np

from nas.strategies.controller.diagnostics import (
    ALARM_ENTROPY,
    LAST,
    entropies,
    gradient_norm,
    mean_policy,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nas.contracts import Json
    from search_spaces.cells.space import Choices

BETWEEN = 10  # told trials per record
_ENOUGH = 30  # foreseen trials before a correlation means something


@final
class Insight:
    """One record for every ten told trials; they are given out once and decide no proposal."""

    def __init__(self, counts: Sequence[int]) -> None:
        self.counts = tuple(counts)
        self.told = 0
        self.last: deque[Choices] = deque(maxlen=LAST)
        self.foreseen: deque[tuple[float, float]] = deque(maxlen=LAST)  # expected, then scored
        self._scores: list[float] = []
        self._policy: dict[str, Json] = {}
        self._records: list[dict[str, Json]] = []

    def hear(self, choices: Choices, score: float, expected: float | None) -> None:
        """Count a told trial; `expected` is what the critic thought before it heard the score."""
        self.told += 1
        self.last.append(choices)
        self._scores.append(score)
        if expected is not None:
            self.foreseen.append((expected, score))
        if len(self._scores) == BETWEEN:
            self._records.append(self._record())
            self._scores = []

    def step(self, distributions: Tensor, gradients: nn.Module, known_share: float) -> None:
        """What the policy looked like in its last step."""
        found = entropies(distributions)
        total, most = sum(found), sum(math.log(count) for count in self.counts)
        self._policy = {
            "entropy": round(total, 4),
            "entropy_share": round(total / most, 4) if most else 0.0,
            "entropies": [round(value, 3) for value in found],
            "gradient_norm": gradient_norm(gradients),
            "known_share": round(known_share, 4),
            "policy": mean_policy(distributions, self.counts),
        }

    def drain(self) -> list[dict[str, Json]]:
        """The records since the last call."""
        records, self._records = self._records, []
        return records

    def pack(self) -> dict[str, np.ndarray]:
        """What later records depend on, as arrays."""
        facts = [self.told, list(self.last), list(self.foreseen), self._scores, self._policy]
        return {"insight": np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8).copy()}

    def unpack(self, arrays: Mapping[str, np.ndarray]) -> None:
        """What `pack` took."""
        told, last, foreseen, scores, policy = json.loads(arrays["insight"].tobytes())
        self.told, self._scores, self._policy = told, scores, policy
        self.last = deque((tuple(row) for row in last), maxlen=LAST)
        self.foreseen = deque((tuple(pair) for pair in foreseen), maxlen=LAST)
        self._records = []

    def _record(self) -> dict[str, Json]:
        scores = np.array(self._scores)
        with np.errstate(over="ignore"):
            mean = float(np.nan_to_num((scores / len(scores)).sum()))
        record: dict[str, Json] = {
            "update": self.told // BETWEEN,
            "told": self.told,
            "reward_mean": mean,
            "reward_min": float(scores.min()),
            "reward_max": float(scores.max()),
            "critic_correlation": self._correlation(),
            "foreseen": len(self.foreseen),
            **self._policy,
            "distinct": len(set(self.last)),
            "of_last": len(self.last),
        }
        alarm = self._alarm(record)
        return record if alarm is None else {**record, "alarm": alarm}

    def _correlation(self) -> float:
        """Spearman's, of what was expected with what came next, over the last 100 trials."""
        if len(self.foreseen) < 3:
            return 0.0
        expected, scored = (
            _places(np.array(column)) for column in zip(*self.foreseen, strict=True)
        )
        spread = float(expected.std() * scored.std())
        return round(float(np.mean(expected * scored)) / spread, 4) if spread else 0.0

    def _alarm(self, record: Mapping[str, Json]) -> str | None:
        correlation, seen = record["critic_correlation"], len(self.foreseen)
        if seen >= _ENOUGH and correlation < -2 / seen**0.5:
            return (
                f"the critic is worse than nothing: over the last {seen} trials its expectation "
                f"and the score that followed have a rank correlation of {correlation:.2f}; look "
                "for scores that are noise, or take strategy.preset=plain"
            )
        share = record.get("entropy_share")
        used_up = 2 * record["distinct"] < LAST  # nothing but repeats is left to propose
        if share is not None and self.told >= LAST and not used_up and share < ALARM_ENTROPY:
            return (
                f"the policy has collapsed: entropy is {share:.0%} of its maximum, so candidates "
                "are uniform draws and children of the best alone; raise strategy.entropy_weight "
                "or lower strategy.learning_rate"
            )
        return None


def _places(values: np.ndarray) -> np.ndarray:
    """Ranks about their middle; equal values share theirs."""
    below = (values < values[:, None]).sum(1)
    equal = (values == values[:, None]).sum(1)
    return np.asarray(below + equal / 2 - len(values) / 2)
