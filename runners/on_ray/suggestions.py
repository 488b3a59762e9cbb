"""A strategy that answers somebody else's trials: a fold over what was suggested and how that
ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, final

from nas.contracts import Evaluation, Strategy, Trial
from nas.errors import StoreError
from nas.seeding import derive
from search_spaces.cells.genotype import Genotype

End = Literal["told", "stopped", "failed"]

FORMAT: Final = 1
NUMBERS_WITHOUT_COST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Ended:
    """How a suggestion ended; a score only where it was told one."""

    how: End
    score: float | None = None


@final
class Suggestions:
    """Proposals of a strategy, each genotype suggested once: a repeat is told what is known, or
    will be, at no cost.

    Args:
        stopped_as: what the strategy hears of a trial that was stopped: the worst full score so
            far, or nothing. Of failures it hears nothing.
    """

    def __init__(self, strategy: Strategy, stopped_as: Literal["worst", "ignore"]) -> None:
        self.strategy = strategy
        self.open: dict[str, Trial] = {}
        self.full = 0  # how many were told a score
        self._stopped_as = stopped_as
        self._events: list[dict[str, Any]] = []
        self._next = self._idle = 0
        self._ended: dict[str, Ended] = {}  # by key
        self._twins: dict[str, list[Trial]] = {}  # repeats of what is open, by key
        self._worst: float | None = None
        self._exhausted = False

    @property
    def is_over(self) -> bool:
        """Whether nothing new will come, whatever is told."""
        return not self.open and (self._exhausted or self._idle >= NUMBERS_WITHOUT_COST)

    def suggest(self, name: str) -> Trial | None:
        """The next new genotype, as the trial of this name; None where there is none now."""
        while not self._exhausted and self._idle < NUMBERS_WITHOUT_COST:
            number = self._next
            proposal = self.strategy.ask(number)
            if proposal is None:
                self._exhausted = True
                break
            event = {"event": "skipped", "number": number}
            genotype = proposal.genotype
            if self.strategy.space.flaw(genotype) is None:
                event |= {"genotype": genotype.to_dict(), "notes": dict(proposal.notes)}
                known = genotype.key in self._ended or self._is_open(genotype.key)
                event |= {"event": "repeated"} if known else {"event": "asked", "name": name}
            self._record(event)
            if event["event"] == "asked":
                return self.open[name]
        return None

    def end(self, name: str, ended: Ended) -> None:
        """End a trial; one that nobody knows is none of ours."""
        if name in self.open:
            self._record({"event": ended.how, "name": name, "score": ended.score})

    def to_json(self) -> str:
        """All that has happened."""
        return json.dumps({"format": FORMAT, "events": self._events})

    def replay(self, text: str) -> None:
        """Hear all that has happened to another one of these, in its order."""
        try:
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise ValueError(f"format {content['format']!r}")
            for event in content["events"]:
                self._record(event)
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise StoreError(
                f"this is no state of a nas searcher: {problem}; restore from an earlier "
                "checkpoint of the experiment"
            ) from problem

    def _is_open(self, key: str) -> bool:
        return any(trial.genotype.key == key for trial in self.open.values())

    def _record(self, event: dict[str, Any]) -> None:
        """The only step, live and in replay."""
        self._events.append(event)
        if event["event"] in ("asked", "repeated", "skipped"):
            self._next = event["number"] + 1
            self._idle += 1
        if event["event"] in ("asked", "repeated"):
            self._proposed(event)
        elif event["event"] != "skipped":
            self._end(event["name"], Ended(event["event"], event["score"]))

    def _proposed(self, event: Mapping[str, Any]) -> None:
        number, genotype = event["number"], Genotype.from_dict(event["genotype"])
        seed = derive(self.strategy.seed, "trial", number)
        trial = Trial(number, genotype, seed, event["notes"])
        if event["event"] == "asked":
            self.open[event["name"]] = trial
            self._idle = 0
        elif genotype.key in self._ended:
            self._hear(trial, self._ended[genotype.key])
        else:
            self._twins.setdefault(genotype.key, []).append(trial)

    def _end(self, name: str, ended: Ended) -> None:
        trial = self.open.pop(name)
        key = trial.genotype.key
        self._ended[key] = ended
        if ended.score is not None:
            self.full += 1
            self._worst = ended.score if self._worst is None else min(self._worst, ended.score)
        for one in (trial, *self._twins.pop(key, ())):
            self._hear(one, ended)

    def _hear(self, trial: Trial, ended: Ended) -> None:
        score = ended.score
        if ended.how == "stopped" and self._stopped_as == "worst":
            score = self._worst
        if score is not None:
            self.strategy.tell(trial, Evaluation(score))
            self.strategy.diagnostics()
