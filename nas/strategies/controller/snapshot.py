"""A controller frozen as plain arrays, and thawed to the bit: a short cut past a long replay."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from nas.strategies.controller.memory import Memory, Told

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from nas.strategies.controller.diagnostics import Diagnostics
    from search_spaces.cells.space import Choices

Arrays = Mapping[str, np.ndarray]
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def pack(
    policy: nn.Module, optimizer: Optimizer, memory: Memory, diagnostics: Diagnostics
) -> dict[str, np.ndarray]:
    """Weights, Adam's moments, memory and counters; numbers that are not arrays stand as JSON in
    `facts`."""
    facts = {
        "baseline": memory.baseline,
        "best": memory.best,
        "batch": memory.batch,
        "earlier": list(memory.earlier),
        "updates": diagnostics.updates,
        "told": diagnostics.told,
    }
    return {
        **{
            f"policy.{name}": value.detach().numpy().copy()
            for name, value in policy.named_parameters()
        },
        **dict(moments(policy, optimizer)),
        "recent": memory.recent_scores(),
        "known": _table(list(memory.known)),
        "heard": _table(memory.heard),
        "last": _table(list(diagnostics.last)),
        "facts": np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8).copy(),
    }


def unpack(
    arrays: Arrays,
    policy: nn.Module,
    optimizer: Optimizer,
    memory: Memory,
    diagnostics: Diagnostics,
) -> None:
    """Bring back what `pack` took."""
    with torch.no_grad():
        for name, parameter in policy.named_parameters():
            parameter.copy_(torch.from_numpy(arrays[f"policy.{name}"]))
    restore_moments(arrays, policy, optimizer)
    facts = json.loads(arrays["facts"].tobytes())
    memory.baseline = facts["baseline"]
    memory.best = [(score, tuple(choices)) for score, choices in facts["best"]]
    memory.batch = [_told(record) for record in facts["batch"]]
    memory.earlier.clear()
    memory.earlier.extend(map(_told, facts["earlier"]))
    memory.recent.clear()
    memory.recent.extend(arrays["recent"].tolist())
    memory.known = dict.fromkeys(_rows(arrays["known"]))
    memory.heard = _rows(arrays["heard"])
    diagnostics.updates, diagnostics.told = facts["updates"], facts["told"]
    diagnostics.last.clear()
    diagnostics.last.extend(_rows(arrays["last"]))
    diagnostics.drain()


def moments(policy: nn.Module, optimizer: Optimizer) -> Iterator[tuple[str, np.ndarray]]:
    for name, parameter in policy.named_parameters():
        for moment in _MOMENTS:
            if parameter in optimizer.state:
                yield f"adam.{moment}.{name}", optimizer.state[parameter][moment].numpy().copy()


def restore_moments(arrays: Arrays, policy: nn.Module, optimizer: Optimizer) -> None:
    optimizer.state.clear()
    for name, parameter in policy.named_parameters():
        if f"adam.step.{name}" in arrays:
            optimizer.state[parameter] = {
                moment: torch.from_numpy(arrays[f"adam.{moment}.{name}"].copy())
                for moment in _MOMENTS
            }


def _told(record: Sequence[list[float]]) -> Told:
    choices, log_probs, score = record
    return Told(tuple(map(int, choices)), tuple(log_probs), score)  # type: ignore[arg-type]


def _table(rows: Sequence[Choices]) -> np.ndarray:
    return np.array(rows, dtype=np.int32) if rows else np.empty((0, 0), dtype=np.int32)


def _rows(table: np.ndarray) -> list[Choices]:
    return [tuple(row) for row in table.tolist()]
