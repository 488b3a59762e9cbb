"""The driver's table of trials in flight: what Tune asks and says on one side, the study on the
other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol, final

from nas.contracts import Evaluation, Failure, Trial, Turns
from runners.on_ray.trial_messages import Ended, Progressed, Raised, Ticket, Word


class Actors(Protocol):
    """What is done to workers and what they left in Ray."""

    def stop_early(self, actor: Any) -> None:
        """Let the next report of this worker be answered with a stop."""

    def kill(self, actor: Any) -> None:
        """End this worker, also one that hangs."""

    def fetch(self, files: Any, trial: Trial) -> Failure | None:
        """Write what a trial left into its folder of the study; a failure if it was lost on the
        way."""


@dataclass(slots=True)
class _Flight:
    ticket: Ticket
    trial: Trial
    entry: Any = None
    actor: Any = None
    began: float = 0.0
    is_taken_up: bool = False
    is_late: bool = False

    @property
    def age(self) -> float:
        return time.monotonic() - self.began if self.actor is not None else 0.0


@final
class Flights:
    """Asks the study and tells it. A problem that ends the search is kept in `problem`, for Tune
    swallows exceptions.

    Args:
        places: how many trials may be in flight just now.
        timeout: seconds a trial may run; None: as long as it takes.
        room: how many of them fit on the nodes there are; the others wait for more nodes.
    """

    def __init__(
        self,
        study: Turns,
        actors: Actors,
        places: Callable[[], int],
        timeout: float | None,
        room: Callable[[], int] | None = None,
    ) -> None:
        self._study = study
        self._actors = actors
        self._places = places
        self._room = room or places
        self._timeout = timeout
        self._flights: dict[str, _Flight] = {}
        self._again: list[Trial] = []
        self._dead_in_stock = 0  # killed workers that Tune may take for free ones
        self._study_waits = False
        self.problem: BaseException | None = None

    def __len__(self) -> int:
        return len(self._flights)

    def next_ticket(self, name: str) -> Ticket | None:
        """A trial to start under this name, if there is room and one to start."""
        with self._minding():
            if self.problem is None and len(self._flights) < self._places():
                trial = self._again.pop(0) if self._again else self._study.ask()
                self._study_waits = trial is None
                if trial is not None:
                    flight = self._flights[name] = _Flight(Ticket(trial), trial)
                    return flight.ticket
        return None

    @property
    def is_over(self) -> bool:
        """Whether nothing runs that could make room for more."""
        return not self._flights and not self._again

    def queued(self, name: str, entry: Any) -> None:
        """Tune waits for a worker; its entry of the trial tells which one it has turned to, if
        any."""
        if flight := self._flights.get(name):
            flight.entry = entry

    def waiting_longest(self) -> Any:
        """Tune's entry of the trial that has waited longest and for which no worker can be
        starting."""
        starting = self._room() - sum(flight.actor is not None for flight in self._flights.values())
        waiting = (
            flight.entry
            for flight in self._flights.values()
            if flight.actor is None and flight.entry
        )
        return next(islice(waiting, max(0, starting), None), None)

    def started(self, name: str, actor: Any) -> None:
        """A worker has taken up a trial."""
        if flight := self._flights.get(name):
            flight.actor, flight.began, flight.is_taken_up = actor, time.monotonic(), True

    def heard(self, name: str, words: Sequence[Word]) -> None:
        """A worker has said something; of one that was given up only that it has ended counts."""
        flight = self._flights.get(name)
        if flight is None:
            return
        if flight.is_late:
            if words and not isinstance(
                words[-1], Progressed
            ):  # its last word was on its way: nobody will miss it
                self._dead_in_stock += 1
                self._end(name, flight, self._timed_out(flight))
            return
        with self._minding():
            for word in words:
                self._hear(name, flight, word)

    def lost(self, name: str, failure: Failure) -> None:
        """A worker has died with its trial."""
        flight = self._flights.get(name)
        if flight is None:
            return
        if self._dead_in_stock and not (flight.is_taken_up or flight.is_late):
            self._dead_in_stock -= 1
            self._put_back(name, flight)
            return
        failure = (
            self._timed_out(flight) if flight.is_late else replace(failure, seconds=flight.age)
        )
        self._actors.kill(
            flight.actor
        )  # what only seems dead must not go on beside the next attempt
        self._end(name, flight, failure)

    def look(self) -> None:
        """Give up trials that take too long, and say how many places are idle."""
        for flight in self._flights.values():
            if (
                flight.actor is None and flight.entry
            ):  # a worker may hang before it takes up the trial
                flight.actor, flight.began = (
                    flight.entry.temporary_state.ray_actor,
                    time.monotonic(),
                )
            if self._timeout is not None and flight.age > self._timeout and not flight.is_late:
                flight.is_late = True
                self._actors.kill(flight.actor)
        self._study.free(max(0, self._places() - len(self._flights)) if self._study_waits else 0)

    def abandon(self) -> None:
        """Kill every worker that still runs a trial; their trials stay open and run again on
        resume."""
        flights = list(self._flights.values())
        self._flights.clear()
        self._again.clear()
        for flight in flights:
            self._actors.kill(flight.actor)

    def _hear(self, name: str, flight: _Flight, word: Word) -> None:
        match word:
            case Progressed(step, metrics):
                if not self._study.progress(flight.trial.number, step, metrics):
                    self._actors.stop_early(flight.actor)
            case Ended(outcome, files):
                if (
                    files is not None
                    and isinstance(outcome, Evaluation)
                    and self._study.would_keep(outcome.score)
                ):
                    outcome = self._actors.fetch(files, flight.trial) or outcome
                self._end(name, flight, outcome)
            case Raised(problem):
                self.problem = problem

    def _timed_out(self, flight: _Flight) -> Failure:
        return Failure("timeout", f"no result within {self._timeout:g} s", flight.age)

    def _put_back(self, name: str, flight: _Flight) -> None:
        """It was given to a worker that we had killed for another trial: that is no attempt of its
        own."""
        del self._flights[name]
        flight.ticket.trial = None
        self._again.append(flight.trial)

    def _end(self, name: str, flight: _Flight, outcome: Any) -> None:
        del self._flights[name]
        flight.ticket.trial = None
        self._study_waits = False
        with self._minding():
            self._study.tell(flight.trial.number, outcome)

    @contextmanager
    def _minding(self) -> Iterator[None]:
        try:
            yield
        except Exception as problem:
            self.problem = self.problem or problem
