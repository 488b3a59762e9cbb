"""What each update of the controller did, as records for the log, and an alarm when it
collapses."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, final

import torch

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from nas.contracts import Json
    from nas.strategies.controller.settings import Settings
    from search_spaces.cells.space import Choices

LAST = 100
ALARM_ENTROPY = 0.1  # of its maximum
ALARM_DISTINCT = 0.5  # of the last trials


class Step(NamedTuple):
    """What the last gradient step of an update saw; rows are the trials of the batch."""

    scores: np.ndarray  # (B,)
    advantages: Tensor  # (B,)
    drawn: Tensor  # (B, T), log-probabilities when they were drawn
    log_probs: Tensor  # (B, T), and now
    distributions: Tensor  # (T, B, K), log-probabilities of all options now
    baseline: float


@final
class Diagnostics:
    """Collects one record per update; they are given out once and are no part of what decides a
    proposal."""

    def __init__(self, counts: Sequence[int], settings: Settings) -> None:
        self.counts = tuple(counts)
        self.settings = settings
        self.updates = 0
        self.told = 0
        self.last: deque[Choices] = deque(maxlen=LAST)
        self._records: list[dict[str, Json]] = []

    def hear(self, choices: Choices) -> None:
        """Count a told trial."""
        self.told += 1
        self.last.append(choices)

    def record(self, step: Step, gradients: nn.Module) -> None:
        """Write down one update."""
        self.updates += 1
        found = entropies(step.distributions)
        total, most = sum(found), sum(math.log(count) for count in self.counts)
        record: dict[str, Json] = {
            "update": self.updates,
            "told": self.told,
            "reward_mean": float(step.scores.mean()),
            "reward_min": float(step.scores.min()),
            "reward_max": float(step.scores.max()),
            "baseline": step.baseline,
            "advantage_spread": float(step.advantages.std(unbiased=False)),
            "entropy": round(total, 4),
            "entropy_share": round(total / most, 4) if most else 0.0,
            "entropies": [round(value, 3) for value in found],
            **self._change(step),
            "gradient_norm": gradient_norm(gradients),
            "distinct": len(set(self.last)),
            "of_last": len(self.last),
            "policy": mean_policy(step.distributions, self.counts),
        }
        alarm = self._alarm(record)
        if alarm is not None:
            record["alarm"] = alarm
        self._records.append(record)

    def drain(self) -> list[dict[str, Json]]:
        """The records since the last call."""
        records, self._records = self._records, []
        return records

    def _change(self, step: Step) -> dict[str, Json]:
        """How far the policy has moved since the draws: KL, estimated by (r - 1) - log r, and the
        clipped share."""
        difference = step.log_probs - step.drawn
        ratios = difference.exp()
        kl = ((ratios - 1) - difference).sum(1).mean()
        clipped = ((ratios - 1).abs() > self.settings.clip).float().mean()
        return {"kl": round(float(kl), 6), "clip_fraction": round(float(clipped), 4)}

    def _alarm(self, record: Mapping[str, Json]) -> str | None:
        share, distinct, last = record["entropy_share"], record["distinct"], record["of_last"]
        possible = min(last, math.prod(self.counts))
        if last < LAST or share >= ALARM_ENTROPY or distinct >= ALARM_DISTINCT * possible:
            return None
        settings = self.settings
        return (
            f"the controller has collapsed: entropy is {share:.0%} of its maximum, and only "
            f"{distinct} of the last "
            f"{last} proposals were distinct; raise strategy.entropy_weight (now "
            f"{settings.entropy_weight:g}), lower "
            f"strategy.learning_rate (now {settings.learning_rate:g}), or raise strategy.redraws "
            f"(now {settings.redraws})"
        )


def entropies(distributions: Tensor) -> list[float]:
    """The entropy of each decision's softmax, averaged over the batch."""
    values: list[float] = (-(distributions.exp() * distributions).sum(-1)).mean(1).tolist()
    return values


def mean_policy(distributions: Tensor, counts: Sequence[int]) -> list[list[float]]:
    """How likely each option of each decision is, on average over the batch."""
    rows = distributions.exp().mean(1).tolist()
    return [
        [round(value, 3) for value in row[:count]] for row, count in zip(rows, counts, strict=True)
    ]


def gradient_norm(network: nn.Module) -> float:
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    return float(
        torch.linalg.vector_norm(
            torch.stack([torch.linalg.vector_norm(grad) for grad in gradients])
        )
    )
