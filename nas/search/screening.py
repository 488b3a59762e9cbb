"""A screen: of several proposals of a strategy the best by a cheap judge is tried, for every arm
alike."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, final

from nas.contracts import Evaluation, Evaluator, Json, Proposal, Strategy, Trial
from nas.errors import SettingsError, shortened
from nas.search.old_options import renewed
from nas.seeding import derive
from nas.settings import Part
from nas.study.attempt import attempt, never_stop, plain
from nas.study.ledger import Heard

_MOST = 1_000
_NOTE = "screened"


@final
@dataclass(frozen=True, slots=True)
class Screen:
    """A cheap judge that chooses one of so many proposals for each trial."""

    judge: Part
    proposals: int

    def to_dict(self) -> dict[str, Any]:
        """As it stands in study.json."""
        return {"judge": self.judge.to_dict(), "proposals": self.proposals}

    @classmethod
    def read(cls, content: Mapping[str, Any], *, trust: bool) -> Self:
        """What study.json says."""
        judge, proposals = content["judge"], content["proposals"]
        if type(proposals) is not int or proposals < 2:
            raise ValueError(f"screen.proposals: {shortened(proposals)} is no number from 2")
        judged_by = Part.read("evaluator", renewed("evaluator", judge), trust=trust)
        return cls(judged_by, proposals)


def screen_words(text: str) -> tuple[str, int]:
    """`proxy.grasp:4` as the judge `proxy:grasp`, and 4."""
    match = re.fullmatch(r"(.+):(\d{1,4})", text)
    if match is None or not 2 <= int(match[2]) <= _MOST:
        raise SettingsError(
            f"--screen is {shortened(text)}: expected a judge and how many proposals it chooses "
            f"from, 2 to {_MOST:,}, say proxy.grasp:4"
        )
    name = match[1]
    return (name if ":" in name else name.replace(".", ":", 1)), int(match[2])


@final
class Screened(Strategy):
    """Tries, of so many proposals of a strategy, the one that a cheap judge scores highest; those
    that are new come first, and of equals the first.

    Trial n has the proposals that the strategy numbers n x proposals and on, so `ask` stays a
    question: it depends on its number and on past tells, and the judge's luck on its number. All
    proposals stand in the notes of the trial, with what the judge said. The strategy hears of the
    chosen one alone, under the number it knows it by.
    """

    def __init__(self, inside: Strategy, judge: Evaluator, proposals: int) -> None:
        super().__init__(inside.space, inside.seed)
        self.inside = inside
        self.takes_several = inside.takes_several
        self.proposals = inside.proposals = proposals
        self._judge = judge
        self._known: set[str] = set()
        self._seconds = 0.0

    def ask(self, number: int) -> Proposal | None:
        """The best of its proposals; None where the space is exhausted."""
        first = number * self.proposals
        asked = [self.inside.ask(first + place) for place in range(self.proposals)]
        drawn = [proposal for proposal in asked if proposal is not None]
        if not drawn:
            return None
        keys = [proposal.genotype.key for proposal in drawn]
        scores = [self._score(proposal, number) for proposal in drawn]

        def worth(place: int) -> tuple[bool, float]:
            score = scores[place]
            return keys[place] not in self._known, -math.inf if score is None else score

        chosen = max(range(len(drawn)), key=worth)
        noted = {
            "chosen": chosen,
            "scores": scores,
            "genotypes": [proposal.genotype.to_dict() for proposal in drawn],
        }
        return Proposal(drawn[chosen].genotype, {**drawn[chosen].notes, _NOTE: noted})

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        """Let the strategy hear of what it proposed."""
        self._known.add(trial.genotype.key)
        self.inside.tell(self.own(trial), evaluation)

    def tried(self, trial: Trial) -> None:
        """Let the strategy hear that this was tried."""
        self._known.add(trial.genotype.key)
        self.inside.tried(self.own(trial))

    def own(self, trial: Trial) -> Trial:
        """A trial as the strategy knows it."""
        notes = dict(trial.notes)
        noted = notes.pop(_NOTE, None)
        place = noted["chosen"] if isinstance(noted, Mapping) else 0
        return replace(trial, number=trial.number * self.proposals + place, notes=notes)

    def judged_seconds(self) -> float:
        """What the judge took since the last call."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    @property
    def learns_after(self) -> int:
        """As many results as without a screen."""
        return self.inside.learns_after

    def diagnostics(self) -> list[dict[str, Json]]:
        """Those of the strategy."""
        return self.inside.diagnostics()

    def recorded(self) -> Mapping[str, Json]:
        """What the strategy records, and what was measured for the judge."""
        return {**self.inside.recorded(), "screen": plain(self._judge.measured())}

    def _score(self, proposal: Proposal, number: int) -> float | None:
        """What the judge says; None where it cannot. All proposals of a trial share their luck."""
        began = time.perf_counter()
        seed = derive(self.seed, "screen", number)
        trial = Trial(number, proposal.genotype, seed)
        found = attempt(self._judge, trial, Path(), never_stop)
        self._seconds += time.perf_counter() - began
        return found.score if isinstance(found, Evaluation) else None


def screened(inside: Strategy, name: str, judge: Evaluator, proposals: int) -> Screened:
    """A strategy behind a screen; a judge, of this name, that would train is refused."""
    if not judge.cheap:
        raise SettingsError(
            f"--screen is {name}: that judge trains, and a screen must be cheap, say proxy.grasp:4"
        )
    return Screened(inside, judge, proposals)


def as_inside(strategy: Strategy, past: Iterable[Heard]) -> tuple[Strategy, Iterator[Heard]]:
    """The strategy itself, and what it heard."""
    if not isinstance(strategy, Screened):
        return strategy, iter(past)
    own = strategy.own
    return strategy.inside, ((own(trial), evaluation) for trial, evaluation in past)


def shown(screen: Mapping[str, Any] | None) -> str:
    """A screen in words, as study.json holds it."""
    if screen is None:
        return "none"
    judge: Sequence[Any] = screen["judge"]["name"], screen["proposals"]
    return f"of {judge[1]} proposals the best by {judge[0]} is tried"
