"""The driver's table of places and the trials in them: what Tune asks and says on one side, the
study on the other."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, final

from nas.contracts import Evaluation, Failure, Outcome, Trial, Turns
from nas.errors import StudyError
from nas.training.datasets import DatasetError
from runners.on_ray.node_faults import NodeFaults
from runners.on_ray.trial_messages import Began, Ended, Message, Progressed, Raised, Unfit

# Starts in a row that may come to nothing while no process is up. What a node had no memory for may
# fit later, so the pauses between those grow: they last four minutes in all.
_STARTS, _STARTS_WITHOUT_MEMORY = 3, 12
_SECONDS_BETWEEN_STARTS, _LONGEST_SECONDS_BETWEEN_STARTS = 2.0, 30.0
_SECONDS_OF_A_LOOK = 5.0  # the driver looks ten times a second; longer, and it was asleep itself


class Actors(Protocol):
    """What is done to workers and what they left in Ray."""

    def give(self, actor: Any, trial: Trial) -> None:
        """Let the next step of this worker begin this trial."""

    def stop_early(self, actor: Any) -> None:
        """Let the next report of this worker be answered with a stop."""

    def kill(self, actor: Any) -> None:
        """End this worker, also one that hangs."""

    def fetch(self, files: Any, trial: Trial) -> Future[Failure | None]:
        """Write what a trial left into its folder of the study; a failure if it was lost on the
        way."""


@dataclass(slots=True)
class _Place:
    """A worker process, or the wish for one: Tune takes it for one trial of its own."""

    actor: Any = None
    node: str | None = None  # None until its process says that it is ready
    trial: Trial | None = None
    began: float = 0.0
    heard: float = field(default_factory=time.monotonic)
    doom: Failure | None = None  # why we have ended it

    @property
    def is_ready(self) -> bool:
        return self.node is not None and self.doom is None

    @property
    def age(self) -> float:
        return time.monotonic() - self.began if self.trial is not None else 0.0


@final
class RunningTrials:
    """Asks the study and tells it. A problem that ends the search is kept in `problem`, for Tune
    swallows exceptions.

    Trials are given to places in the order in which the study asks them, each to the first place
    that is free.

    Args:
        limit: how many trials may run at once just now.
        timeout: seconds a trial may run; None: as long as it takes.
        silence: seconds a worker may say nothing.
        settled: hears what was settled where a process begins.
    """

    def __init__(
        self,
        study: Turns,
        actors: Actors,
        limit: Callable[[], int],
        faults: NodeFaults,
        *,
        timeout: float | None = None,
        silence: float = 60.0,
        settled: Callable[[Any], None] = lambda _: None,
    ) -> None:
        self._study = study
        self._actors = actors
        self._limit = limit
        self._faults = faults
        self._timeout = timeout
        self._silence = silence
        self._hear_settled = settled
        self._places: dict[str, _Place] = {}
        self._waiting: deque[Trial] = deque()
        self._fetching: dict[Future[Failure | None], tuple[str | None, Trial, Evaluation]] = {}
        self._study_waits = False
        self._looked_at = time.monotonic()
        self._starts_lost = 0
        self._no_start_before = 0.0
        self.problem: BaseException | None = None

    # ------------------------------------------------------------------ what Tune asks

    def wants_place(self, name: str) -> bool:
        """Whether one more worker process is wanted; it is known by this name from now on."""
        if not self._places:
            self.check()  # while Tune has nothing at all, this is all that it does
        with self._keep_problem():
            if self._may_start() and (self._is_short_of_places() or self._has_asked()):
                self._places[name] = _Place()
                return True
        return False

    @property
    def is_over(self) -> bool:
        """Whether nothing runs that could make room for more, or nothing can."""
        if self.problem is not None:
            return True
        runs = any(place.trial is not None for place in self._places.values())
        return self._study_waits and not (runs or self._waiting or self._fetching)

    @property
    def left_out(self) -> list[str]:
        """Nodes on which no more processes should begin."""
        return sorted(self._faults.left_out)

    # ------------------------------------------------------------------ what Tune says

    def mark_started(self, name: str, actor: Any) -> None:
        """A process exists; its first word says whether it is ready."""
        if place := self._places.get(name):
            place.actor, place.heard = actor, time.monotonic()

    def receive(self, name: str, messages: Sequence[Message]) -> None:
        """Take in what a worker says, and give it the next trial if it has none; one that was given
        up is not heard."""
        place = self._places.get(name)
        if place is None or place.doom is not None:
            return
        place.heard = time.monotonic()
        with self._keep_problem():
            for message in messages:
                self._receive_one(place, message)
            self._take_in_files()
            if place.is_ready and place.trial is None and self.problem is None:
                self._give(place)

    def leave(self, name: str) -> None:
        """A worker ends by itself, without a trial."""
        self._places.pop(name, None)

    def mark_lost(self, name: str, failure: Failure) -> None:
        """A worker has died, maybe with a trial."""
        place = self._places.pop(name, None)
        if place is None:
            return
        # What only seems dead must not go on beside the next attempt.
        self._actors.kill(place.actor)
        if place.node is None:
            self._count_lost_start(failure)
        if place.trial is not None:
            outcome = place.doom or replace(failure, seconds=place.age)
            self._end(place.node, place.trial, outcome)

    def check(self) -> None:
        """End workers that take too long or say nothing, take in files, and say how many more
        trials could run; called every second at least."""
        self._leave_out_own_sleep()
        for place in self._places.values():
            if place.actor is not None and place.doom is None:
                self._judge(place)
        with self._keep_problem():
            self._take_in_files()
        for sentence in self._faults.news():
            self._study.notice(sentence)
        if self.problem is None and (why := self._faults.hopeless):
            self.problem = StudyError(f"no worker can begin: {why}")
        busy = sum(place.trial is not None for place in self._places.values())
        free = self._limit() - busy - len(self._waiting)
        self._study.free(max(0, free) if self._study_waits else 0)

    def abandon(self) -> None:
        """Kill every worker; trials that run stay open and run again on resume."""
        places = list(self._places.values())
        self._places.clear()
        self._waiting.clear()
        for future in self._fetching:
            future.cancel()
        self._fetching.clear()
        for place in places:
            self._actors.kill(place.actor)

    # ------------------------------------------------------------------ places

    def _may_start(self) -> bool:
        places = self._places.values()
        return (
            self.problem is None
            and len(places) < self._limit()
            and time.monotonic() >= self._no_start_before
            and not any(place.is_ready and place.trial is None for place in places)
        )

    def _is_short_of_places(self) -> bool:
        """Whether more trials wait than processes are starting."""
        starting = sum(place.node is None for place in self._places.values())
        return len(self._waiting) > starting

    def _has_asked(self) -> bool:
        trial = self._ask()
        if trial is not None:
            self._waiting.append(trial)
        return trial is not None

    def _ask(self) -> Trial | None:
        trial = self._study.ask()
        self._study_waits = trial is None
        return trial

    def _give(self, place: _Place) -> None:
        trial = self._waiting.popleft() if self._waiting else self._ask()
        if trial is not None:
            place.trial, place.began = trial, time.monotonic()
            self._actors.give(place.actor, trial)

    def _judge(self, place: _Place) -> None:
        """End it if its trial is late, or if it says nothing: a process that was stopped, or whose
        node is, does neither end nor speak."""
        silent = time.monotonic() - place.heard
        if self._timeout is not None and place.age > self._timeout:
            words = f"no result within {self._timeout:g} s"
            self._doom(place, Failure("timeout", words, place.age))
        elif silent > self._silence and place.node is not None:
            words = f"the worker was alive and said nothing for {self._silence:g} s"
            self._doom(place, Failure("worker_lost", words, place.age))

    def _doom(self, place: _Place, why: Failure) -> None:
        place.doom = why
        self._actors.kill(place.actor)

    def _leave_out_own_sleep(self) -> None:
        """While this process was stopped, no worker could be heard."""
        now = time.monotonic()
        slept = now - self._looked_at
        if slept > _SECONDS_OF_A_LOOK:
            for place in self._places.values():
                place.heard += slept
        self._looked_at = now

    def _count_lost_start(self, failure: Failure) -> None:
        self._starts_lost += 1
        lacked_memory = failure.kind == "out_of_memory"
        longer = 2 ** (self._starts_lost - 1) if lacked_memory else 1
        pause = min(_SECONDS_BETWEEN_STARTS * longer, _LONGEST_SECONDS_BETWEEN_STARTS)
        self._no_start_before = time.monotonic() + pause
        if any(place.node is not None for place in self._places.values()):
            return
        if self._starts_lost >= (_STARTS_WITHOUT_MEMORY if lacked_memory else _STARTS):
            why = (_first_line if lacked_memory else _last_line)(failure.message)
            self.problem = self.problem or StudyError(f"no worker can begin: {why}")
        elif lacked_memory and self._starts_lost == _STARTS:
            why = _first_line(failure.message)
            self._study.notice(
                f"no worker can begin just now ({why}); tried again for some minutes: close what "
                "else fills the node"
            )

    # ------------------------------------------------------------------ messages

    def _receive_one(self, place: _Place, message: Message) -> None:
        match message:
            case Began(node, settled):
                place.node, self._starts_lost = node, 0
                self._faults.began(node)
                self._hear_settled(settled)
            case Unfit(node, why, lacks):
                (self._faults.lacks if lacks else self._faults.could_not_begin)(node, why)
                self._no_start_before = time.monotonic() + _SECONDS_BETWEEN_STARTS
            case Progressed(step, metrics) if place.trial is not None:
                if not self._study.progress(place.trial.number, step, metrics):
                    self._actors.stop_early(place.actor)
            case Ended(outcome, files) if place.trial is not None:
                self._ended(place, place.trial, outcome, files)
            case Raised(problem) if place.trial is not None:
                self._raised(place, place.trial, problem)

    def _ended(self, place: _Place, trial: Trial, outcome: Outcome, files: Any) -> None:
        place.trial = None
        if isinstance(outcome, Failure) and outcome.kind == "error":
            # It may be the process that is broken, so the next trial gets another one.
            self._doom(place, outcome)
        is_kept = isinstance(outcome, Evaluation) and self._study.would_keep(outcome.score)
        if isinstance(outcome, Evaluation) and files is not None and is_kept:
            self._fetching[self._actors.fetch(files, trial)] = (place.node, trial, outcome)
        else:
            self._end(place.node, trial, outcome)

    def _raised(self, place: _Place, trial: Trial, problem: Exception) -> None:
        """Data may be missing on one node only; whatever else the user must mend is so on all."""
        if isinstance(problem, DatasetError) and place.node is not None:
            self._faults.lacks(place.node, str(problem))
            if self._faults.hopeless is None:
                place.trial = None
                self._waiting.appendleft(trial)
                self._doom(place, Failure("worker_lost", str(problem)))
                return
        self.problem = problem

    def _take_in_files(self) -> None:
        """Tell the trials whose files have arrived."""
        for future in [future for future in self._fetching if future.done()]:
            node, trial, outcome = self._fetching.pop(future)
            self._end(node, trial, future.result() or outcome)

    def _end(self, node: str | None, trial: Trial, outcome: Outcome) -> None:
        if node is not None and not isinstance(outcome, Failure):
            self._faults.ended_well(node)
        elif node is not None and isinstance(outcome, Failure) and _may_be_of_node(outcome):
            last = _first_line(outcome.message)
            self._faults.failed(
                node, f"processes fail there one after another, the last by: {last}"
            )
        self._study_waits = False
        with self._keep_problem():
            self._study.tell(trial.number, outcome)

    @contextmanager
    def _keep_problem(self) -> Iterator[None]:
        try:
            yield
        except Exception as problem:
            self.problem = self.problem or problem


def _may_be_of_node(failure: Failure) -> bool:
    """Whether another node might have done better: too much memory and a lost score are the
    child's."""
    return failure.kind in ("error", "worker_lost")


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it died without a word"
