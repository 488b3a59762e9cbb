"""Short trainings first: successive halving over proposals, which never waits, for every arm
alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Final, NamedTuple, final

from nas.contracts import Evaluation, Json, Proposal, Strategy, Trial
from nas.errors import SettingsError, shortened

PROMOTED: Final = 3  # of so many trials of a rung the best one is trained longer
_NOTE = "promotes"
_CYCLES_OPEN = 8  # a promotion without a result for longer has failed, or may as well have


def fidelities_of(text: str) -> tuple[float, ...]:
    """`1/4,1` as 0.25 and 1: shares of a whole training, rising, the last of them all of it."""
    try:
        shares = [float(Fraction(piece.strip())) for piece in text.split(",")]
    except (ValueError, ZeroDivisionError):
        shares = []
    rising = all(low < high for low, high in pairwise(shares))
    if not (2 <= len(shares) <= 4 and rising and shares[0] > 0 and shares[-1] == 1):
        raise SettingsError(
            f"--fidelity is {shortened(text)}: expected two to four rising shares of a training, "
            "the last of them 1, say 1/4,1"
        )
    return tuple(shares)


def cycle(rungs: int) -> list[int]:
    """Which rung each number of a cycle trains at: three of a rung come before one of the next."""
    places = [0]
    for rung in range(1, rungs):
        places = [*(places * PROMOTED), rung]
    return places


class _Reached(NamedTuple):
    """A trial as a rung remembers it."""

    first: Trial  # that trained shortest
    score: float


@final
class Halving(Strategy):
    """Trains what a strategy proposes short first, and of three the best for longer.

    The number of a trial says at which rung it trains, so `ask` stays a question and nobody waits:
    a promotion takes the best of the rung below that has not been promoted, after as many others as
    earlier promotions are open; where there is none yet, it is an ordinary proposal. The strategy
    hears of whole trainings, with the notes of its proposal, and is told what else was tried.
    """

    def __init__(self, inside: Strategy, fidelities: Sequence[float]) -> None:
        super().__init__(inside.space, inside.seed)
        self.inside = inside
        self._fidelities = tuple(fidelities)
        self._cycle = cycle(len(fidelities))
        self._rungs: list[dict[str, _Reached]] = [{} for _ in fidelities]  # by key
        self._told: set[int] = set()

    def ask(self, number: int) -> Proposal | None:
        """The best that was trained short, or a new proposal."""
        rung = self._cycle[number % len(self._cycle)]
        if rung and (best := self._candidate(rung, number)) is not None:
            return Proposal(best.first.genotype, {_NOTE: best.first.number}, self._fidelities[rung])
        proposal = self.inside.ask(number)
        return None if proposal is None else replace(proposal, fidelity=self._fidelities[0])

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        """Remember where it stands on its rung; the strategy hears of whole trainings."""
        self._told.add(trial.number)
        rung, key = self._fidelities.index(trial.fidelity), trial.genotype.key
        known = self._rungs[0].get(key)
        first = trial if known is None else known.first
        self._rungs[rung].setdefault(key, _Reached(first, evaluation.score))
        if rung + 1 < len(self._fidelities):
            self.inside.tried(trial)
        else:
            self.inside.tell(replace(trial, notes=first.notes), evaluation)

    def tried(self, trial: Trial) -> None:
        """Nobody is around this."""

    def judged_seconds(self) -> float:
        """Those of a screen inside."""
        return self.inside.judged_seconds()

    @property
    def learns_after(self) -> int:
        """As many whole trainings as without."""
        return self.inside.learns_after

    def diagnostics(self) -> list[dict[str, Json]]:
        """Those of the strategy."""
        return self.inside.diagnostics()

    def recorded(self) -> Mapping[str, Json]:
        """What the strategy records."""
        return self.inside.recorded()

    def _candidate(self, rung: int, number: int) -> _Reached | None:
        """What this promotion takes."""
        below, above = self._rungs[rung - 1], self._rungs[rung]
        waiting = [reached for key, reached in below.items() if key not in above]
        waiting.sort(key=lambda reached: (-reached.score, reached.first.number))
        begin = max(0, number - _CYCLES_OPEN * len(self._cycle))
        ahead = sum(
            self._cycle[earlier % len(self._cycle)] == rung and earlier not in self._told
            for earlier in range(begin, number)
        )
        return waiting[ahead] if ahead < len(waiting) else None
