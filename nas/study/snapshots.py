"""A short cut past a long replay: a strategy's state beside the log, with the exact part of the log
it stands for.

The log stays the truth. A snapshot that is missing, unreadable, of another version, ahead of its
log or of another log is ignored, and the strategy is told everything again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, final

from nas import __version__

if TYPE_CHECKING:
    import numpy as np

    from nas.contracts import Strategy

FILE_NAME = "strategy.safetensors"
TRIALS_BETWEEN = 1_000  # so many are told again after a kill, at most


class Snapshot(NamedTuple):
    """Arrays for `Strategy.restore`, how many bytes of the log they stand for, and the updates
    written within those."""

    arrays: Mapping[str, np.ndarray]
    log_bytes: int
    updates: int


@final
class Snapshots:
    """Takes one after every thousand told trials, if the strategy offers any, and finds the last
    one when it begins."""

    def __init__(self, log: Path, strategy: Strategy) -> None:
        self._log, self._strategy, self._since = log, strategy, 0

    def restore(self) -> tuple[int, int]:
        """Bring the strategy to where the last snapshot was taken; returns how many bytes of the
        log it need not be told again, and how many updates are written there."""
        found = read_snapshot(self._log)
        if found is None:
            return 0, 0
        self._strategy.restore(found.arrays)
        return found.log_bytes, found.updates

    def told(self, log_bytes: int, updates: int) -> None:
        """One more trial was told, and the log up to here is what the strategy knows."""
        self._since += 1
        if self._since >= TRIALS_BETWEEN:
            self._since = 0
            arrays = self._strategy.snapshot()
            if arrays is not None:
                write_snapshot(self._log, Snapshot(arrays, log_bytes, updates))


def write_snapshot(log: Path, snapshot: Snapshot) -> None:
    """Write it beside the log, whole or not at all; a full disk costs the short cut only."""
    from safetensors.numpy import save

    facts = {
        "version": __version__,
        "log_bytes": str(snapshot.log_bytes),
        "log_sha256": _digest(log, snapshot.log_bytes),
        "updates": str(snapshot.updates),
    }
    file = log.with_name(FILE_NAME)
    draft = file.with_name(file.name + ".tmp")
    try:
        draft.write_bytes(save(dict(snapshot.arrays), metadata=facts))
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)


def read_snapshot(log: Path) -> Snapshot | None:
    """The snapshot beside this log, if it stands for the beginning of just this log."""
    from safetensors import SafetensorError, safe_open

    file = log.with_name(FILE_NAME)
    try:
        with safe_open(file, framework="numpy") as opened:
            facts = opened.metadata() or {}
            log_bytes, updates = int(facts["log_bytes"]), int(facts["updates"])
            if facts["version"] != __version__ or facts["log_sha256"] != _digest(log, log_bytes):
                return None
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            return Snapshot(arrays, log_bytes, updates)
    except (OSError, SafetensorError, KeyError, ValueError):
        return None


def _digest(log: Path, count: int) -> str:
    """SHA-256 of the first bytes of the log; of nothing that could match where the log is
    shorter."""
    digest, left = hashlib.sha256(), count
    with log.open("rb") as file:
        while left > 0:
            piece = file.read(min(left, 1 << 20))
            if not piece:
                return "shorter"
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()
