"""Shared weights that learn on while a search goes on, as those of ENAS do: so many steps after
each trial that was told, of children among the newest that were judged.

The log says which trials these are, so the weights of a moment follow from the log; a file beside
it spares the steps up to where it was written.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

from nas.contracts import Trial
from nas.seeding import numpy_rng
from nas.study import Rules
from nas.study.ledger import Ledger
from nas.study.store import LOG, SUPERNET, read_events

if TYPE_CHECKING:
    from nas.training.shared_weights import SharedWeights
    from nas.training.supernet import SupernetSetting

_FILE: Final = f"{SUPERNET}-while-searching.safetensors"
_NEWEST = 20  # trials whose children take steps


@final
class LearntOn:
    """The weights of one study at the end of its log.

    Args:
        begun: the weights before the first trial, which are not changed.
        facts: what decides these weights besides the log.
        steps: after each trial.
        seconds_between: how often the file is written.
    """

    def __init__(
        self,
        study: Path,
        setting: SupernetSetting,
        begun: SharedWeights,
        facts: dict[str, Any],
        *,
        steps: int,
        seconds_between: float,
    ) -> None:
        from nas.training.shared_weights import SharedWeights
        from nas.training.supernet import Learner

        self.study = study
        tensors = {key: tensor.detach().clone() for key, tensor in begun.tensors.items()}
        self._learner = Learner(setting, SharedWeights(begun.seed, tensors))
        self._facts, self._steps, self._seconds_between = facts, steps, seconds_between
        self._begin_anew()
        self._saved_at = time.monotonic()
        self._restore()

    @property
    def weights(self) -> SharedWeights:
        """As they are now."""
        return self._learner.shared

    @property
    def steps(self) -> int:
        """How many there were after the first trial had begun."""
        return self._steps * self._heard

    def catch_up(self) -> float:
        """Take the steps of all trials that the log has and these weights have not; the seconds of
        the newest one's, for those before were paid for when they were taken first."""
        seconds = 0.0
        for trial in self._log:
            began = time.perf_counter()
            self._hear(trial)
            for step in range(self._steps):
                rng = numpy_rng(trial.seed, "learning-on", step)
                self._learner.learn(self._newest[int(rng.integers(len(self._newest)))].genotype)
            if time.monotonic() - self._saved_at >= self._seconds_between:
                self.keep()
            seconds = time.perf_counter() - began
        return seconds

    def keep(self) -> None:
        """Write the file."""
        facts = {**self._facts, "trials": self._heard, "told": self._digest}
        self._learner.keep(self.study / _FILE, facts, 0.0)
        self._saved_at = time.monotonic()

    def _begin_anew(self) -> None:
        """Nothing of the log was heard."""
        self._log = _Judged(self.study / LOG)
        self._newest: deque[Trial] = deque(maxlen=_NEWEST)
        self._heard, self._digest = 0, ""

    def _hear(self, trial: Trial) -> None:
        self._newest.append(trial)
        self._heard += 1
        text = f"{self._digest} {trial.genotype.key} {trial.seed}"
        self._digest = sha256(text.encode()).hexdigest()[:16]

    def _restore(self) -> None:
        """Go on from the file, if it lies on the way of this log."""
        from safetensors import SafetensorError

        from nas.training.checkpoint import read_weights

        try:
            tensors, kept = read_weights(self.study / _FILE)
        except (OSError, ValueError, KeyError, SafetensorError):
            return
        if any(kept.get(name) != value for name, value in self._facts.items()):
            return
        for trial in self._log:
            self._hear(trial)
            if self._heard == kept["trials"]:
                break
        if (self._heard, self._digest) == (kept["trials"], kept["told"]):
            self._learner.take(tensors, kept["step"])
        else:
            self._begin_anew()


@final
class _Judged:
    """The trials that were judged, in the order of the log; each is given once, however often it is
    asked."""

    def __init__(self, log: Path) -> None:
        self._path = log
        self._read_to = -1  # the offset of the last line that was read
        self._ledger = Ledger(Rules())

    def __iter__(self) -> Iterator[Trial]:
        for offset, event in read_events(self._path, max(self._read_to, 0)):
            if offset == self._read_to:
                continue
            self._read_to = offset
            heard = self._ledger.apply(event, offset)
            if heard and event["event"] == "told" and not {"reused", "learnt"} & event.keys():
                yield heard[0]
