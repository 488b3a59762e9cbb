"""The driver's table of running trials: what Tune asks and says on one side, the study on the
other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol, final

from nas.contracts import Evaluation, Failure, Trial, Turns
from runners.on_ray.trial_messages import Ended, Message, Progressed, Raised, TrialOrder


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
class _RunningTrial:
    order: TrialOrder
    trial: Trial
    tune_trial: Any = None
    actor: Any = None
    began: float = 0.0
    is_taken_up: bool = False
    is_late: bool = False

    @property
    def age(self) -> float:
        return time.monotonic() - self.began if self.actor is not None else 0.0


@final
class RunningTrials:
    """Asks the study and tells it. A problem that ends the search is kept in `problem`, for Tune
    swallows exceptions.

    Args:
        limit: how many trials may run at once just now.
        timeout: seconds a trial may run; None: as long as it takes.
        room: how many of them fit on the nodes there are; the others wait for more nodes.
    """

    def __init__(
        self,
        study: Turns,
        actors: Actors,
        limit: Callable[[], int],
        timeout: float | None,
        room: Callable[[], int] | None = None,
    ) -> None:
        self._study = study
        self._actors = actors
        self._limit = limit
        self._room = room or limit
        self._timeout = timeout
        self._by_name: dict[str, _RunningTrial] = {}
        self._again: list[Trial] = []
        self._killed_unnoticed = 0  # killed workers that Tune may still take for free ones
        self._study_waits = False
        self.problem: BaseException | None = None

    def __len__(self) -> int:
        return len(self._by_name)

    def assign(self, name: str) -> TrialOrder | None:
        """A trial to start under this name, if there is room and one to start."""
        with self._keep_problem():
            if self.problem is None and len(self._by_name) < self._limit():
                trial = self._again.pop(0) if self._again else self._study.ask()
                self._study_waits = trial is None
                if trial is not None:
                    running = self._by_name[name] = _RunningTrial(TrialOrder(trial), trial)
                    return running.order
        return None

    @property
    def is_over(self) -> bool:
        """Whether nothing runs that could make room for more."""
        return not self._by_name and not self._again

    def mark_queued(self, name: str, tune_trial: Any) -> None:
        """Tune waits for a worker; its record of the trial tells which one it has turned to, if
        any."""
        if running := self._by_name.get(name):
            running.tune_trial = tune_trial

    def waiting_longest(self) -> Any:
        """Tune's own record of the trial that has waited longest and for which no worker can be
        starting."""
        starting = self._room() - sum(
            running.actor is not None for running in self._by_name.values()
        )
        waiting = (
            running.tune_trial
            for running in self._by_name.values()
            if running.actor is None and running.tune_trial
        )
        return next(islice(waiting, max(0, starting), None), None)

    def mark_started(self, name: str, actor: Any) -> None:
        """A worker has taken up a trial."""
        if running := self._by_name.get(name):
            running.actor, running.began, running.is_taken_up = actor, time.monotonic(), True

    def receive(self, name: str, messages: Sequence[Message]) -> None:
        """Take in what a worker says; of one that was given up only that it has ended counts."""
        running = self._by_name.get(name)
        if running is None:
            return
        if running.is_late:
            if messages and not isinstance(
                messages[-1], Progressed
            ):  # its last message was on its way: nobody misses it
                self._killed_unnoticed += 1
                self._end(name, running, self._timeout_of(running))
            return
        with self._keep_problem():
            for message in messages:
                self._receive_one(name, running, message)

    def mark_lost(self, name: str, failure: Failure) -> None:
        """A worker has died with its trial."""
        running = self._by_name.get(name)
        if running is None:
            return
        if self._killed_unnoticed and not (running.is_taken_up or running.is_late):
            self._killed_unnoticed -= 1
            self._put_back(name, running)
            return
        failure = (
            self._timeout_of(running) if running.is_late else replace(failure, seconds=running.age)
        )
        self._actors.kill(
            running.actor
        )  # what only seems dead must not go on beside the next attempt
        self._end(name, running, failure)

    def check_ages(self) -> None:
        """Give up trials that take too long, and say how many more could run."""
        for running in self._by_name.values():
            if (
                running.actor is None and running.tune_trial
            ):  # a worker may hang before it takes up the trial
                running.actor, running.began = (
                    running.tune_trial.temporary_state.ray_actor,
                    time.monotonic(),
                )
            if self._timeout is not None and running.age > self._timeout and not running.is_late:
                running.is_late = True
                self._actors.kill(running.actor)
        self._study.free(max(0, self._limit() - len(self._by_name)) if self._study_waits else 0)

    def abandon(self) -> None:
        """Kill every worker that still runs a trial; their trials stay open and run again on
        resume."""
        abandoned = list(self._by_name.values())
        self._by_name.clear()
        self._again.clear()
        for running in abandoned:
            self._actors.kill(running.actor)

    def _receive_one(self, name: str, running: _RunningTrial, message: Message) -> None:
        match message:
            case Progressed(step, metrics):
                if not self._study.progress(running.trial.number, step, metrics):
                    self._actors.stop_early(running.actor)
            case Ended(outcome, files):
                if (
                    files is not None
                    and isinstance(outcome, Evaluation)
                    and self._study.would_keep(outcome.score)
                ):
                    outcome = self._actors.fetch(files, running.trial) or outcome
                if isinstance(outcome, Failure) and outcome.kind == "error":
                    # It may be the process that is broken, so the next trial gets another one.
                    self._actors.kill(running.actor)
                    self._killed_unnoticed += 1
                self._end(name, running, outcome)
            case Raised(problem):
                self.problem = problem

    def _timeout_of(self, running: _RunningTrial) -> Failure:
        return Failure("timeout", f"no result within {self._timeout:g} s", running.age)

    def _put_back(self, name: str, running: _RunningTrial) -> None:
        """It was given to a worker that we had killed for another trial: that is no attempt of its
        own."""
        del self._by_name[name]
        running.order.trial = None
        self._again.append(running.trial)

    def _end(self, name: str, running: _RunningTrial, outcome: Any) -> None:
        del self._by_name[name]
        running.order.trial = None
        self._study_waits = False
        with self._keep_problem():
            self._study.tell(running.trial.number, outcome)

    @contextmanager
    def _keep_problem(self) -> Iterator[None]:
        try:
            yield
        except Exception as problem:
            self.problem = self.problem or problem
