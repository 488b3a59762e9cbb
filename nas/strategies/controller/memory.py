"""What the controller remembers besides its weights: the open batch, recent scores, the best, what
is known."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np

if TYPE_CHECKING:
    from nas.strategies.controller.settings import Settings
    from search_spaces.cells.space import Choices


class Told(NamedTuple):
    """A trial of ours that has its score: what was chosen, with what log-probability each, and how
    good it is."""

    choices: Choices
    log_probs: tuple[float, ...]
    score: float


@final
class Memory:
    """Grows by the choices of each distinct trial (to leave out repeats) and by nothing else."""

    def __init__(self, settings: Settings) -> None:
        self.batch: list[Told] = []
        self.earlier: deque[Told] = deque(maxlen=settings.reuse)
        self.recent: deque[float] = deque(maxlen=settings.window)
        self.best: list[tuple[float, Choices]] = []  # highest first
        self.baseline: float | None = None
        self.known: dict[Choices, None] = {}  # told before the last update, in order
        self.heard: list[Choices] = []  # told since
        self._best_size = settings.replay

    def hear(self, choices: Choices, score: float) -> None:
        """Take in a result, whoever proposed it."""
        self.recent.append(score)
        self.heard.append(choices)
        self._offer(choices, score)

    def settle(self) -> None:
        """An update has come: what was heard since the last one is known from now on."""
        self.known.update(dict.fromkeys(self.heard))
        self.heard.clear()

    def recent_scores(self) -> np.ndarray:
        """The last scores, oldest first."""
        return np.array(self.recent, dtype=np.float64)

    def _offer(self, choices: Choices, score: float) -> None:
        """Keep the best, each once; of equal scores the earlier stands first."""
        if len(self.best) == self._best_size and (not self.best or score <= self.best[-1][0]):
            return
        if any(choices == known for _, known in self.best):
            return
        place = sum(score <= other for other, _ in self.best)
        self.best.insert(place, (score, choices))
        del self.best[self._best_size :]
