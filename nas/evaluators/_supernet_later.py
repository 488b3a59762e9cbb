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
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from nas.errors import StoreError
from nas.seeding import numpy_rng
from nas.study.store import LOG, SUPERNET, read_events
from search_spaces.cells.genotype import Genotype

if TYPE_CHECKING:
    from nas.training.shared_weights import SharedWeights
    from nas.training.supernet import SupernetSetting

LATER: Final = f"{SUPERNET}-while-searching.safetensors"
_NEWEST = 20  # trials whose children take steps


class Lesson(NamedTuple):
    """A trial that was judged, as the log has it."""

    genotype: Genotype
    seed: int


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
        self._log = _ToldSoFar(study / LOG)
        self._newest: deque[Lesson] = deque(maxlen=_NEWEST)
        self._heard, self._digest = 0, ""
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
        for lesson in self._log:
            began = time.perf_counter()
            self._hear(lesson)
            for step in range(self._steps):
                rng = numpy_rng(lesson.seed, "learning-on", step)
                self._learner.learn(self._newest[int(rng.integers(len(self._newest)))].genotype)
            if time.monotonic() - self._saved_at >= self._seconds_between:
                self.keep()
            seconds = time.perf_counter() - began
        return seconds

    def keep(self) -> None:
        """Write the file."""
        facts = {**self._facts, "trials": self._heard, "told": self._digest}
        self._learner.keep(self.study / LATER, facts, 0.0)
        self._saved_at = time.monotonic()

    def _hear(self, lesson: Lesson) -> None:
        self._newest.append(lesson)
        self._heard += 1
        text = f"{self._digest} {lesson.genotype.key} {lesson.seed}"
        self._digest = sha256(text.encode()).hexdigest()[:16]

    def _restore(self) -> None:
        """Go on from the file, if it lies on the way of this log."""
        from safetensors import SafetensorError

        from nas.training.checkpoint import read_weights

        try:
            tensors, kept = read_weights(self.study / LATER)
        except (OSError, ValueError, KeyError, SafetensorError):
            return
        if any(kept.get(name) != value for name, value in self._facts.items()):
            return
        for lesson in _ToldSoFar(self.study / LOG):
            self._hear(lesson)
            if self._heard == kept["trials"]:
                break
        if (self._heard, self._digest) == (kept["trials"], kept["told"]):
            self._learner.take(tensors, kept["step"])
            self._log.skip(self._heard)
        else:
            self._newest.clear()
            self._heard, self._digest = 0, ""


@final
class _ToldSoFar:
    """The trials that were judged, in the order of the log; each is given once, however often it is
    asked."""

    def __init__(self, log: Path) -> None:
        self._path = log
        self._read_to = -1  # the offset of the last line that was read
        self._open: dict[int, dict[str, Any]] = {}
        self._skipped = 0

    def skip(self, count: int) -> None:
        """Leave the first ones out."""
        self._skipped = count

    def __iter__(self) -> Iterator[Lesson]:
        for offset, event in read_events(self._path, max(self._read_to, 0)):
            if offset == self._read_to:
                continue
            self._read_to = offset
            number = event.get("number")
            match event["event"]:
                case "asked":
                    self._open[event["number"]] = event
                case "failed" | "stopped":
                    self._open.pop(event["number"], None)
                case "told":
                    asked = self._open.pop(event["number"], None)
                    if asked is None:
                        raise StoreError(f"{self._path}: trial {number} was told and never asked")
                    if "reused" in event or "learnt" in event:
                        continue
                    if self._skipped:
                        self._skipped -= 1
                        continue
                    yield Lesson(Genotype.from_dict(asked["genotype"]), asked["seed"])
