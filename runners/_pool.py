"""Several processes of this machine that evaluate at once."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from nas.contracts import Evaluator, Failure, Outcome, Trial, Turns
from runners._process import VISIBLE, WorkerProcess, kill_all, wait_for_any

_SLICE_SECONDS = 0.5  # how often an idle driver looks at deadlines and at a wish to stop
_SECONDS_OF_A_LOOK = 5.0  # longer between two looks, and the driver was asleep itself
_BEATS = 4  # a worker says so often that it is alive before it is silent


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a trial may run (None: as long as it takes), and a worker say nothing; seconds."""

    timeout: float | None
    silence: float


@final
class WorkerPool:
    """As many worker processes as there is work for; one that dies or hangs is replaced.

    Args:
        gpus: those over which processes are spread; none: each sees what this one sees.
    """

    def __init__(
        self,
        study: Turns,
        evaluator: Evaluator,
        size: int,
        limits: Limits,
        gpus: Sequence[str] = (),
    ) -> None:
        self._study = study
        self._evaluator = evaluator
        self._size = size
        self._limits = limits
        self._looked_at = time.monotonic()
        self._gpus = gpus
        self._workers: list[WorkerProcess] = []  # all that may have to be ended
        self._idle: list[WorkerProcess] = []
        self._busy: dict[WorkerProcess, Trial] = {}

    def run(self) -> None:
        """Run until nothing is left to start and nothing runs."""
        try:
            while self._fill() or self._busy:
                self._study.free(self._size - len(self._busy))
                for worker in wait_for_any(list(self._busy), _SLICE_SECONDS):
                    self._hear(worker)
                self._leave_out_own_sleep()
                self._end_late_ones()
        finally:
            kill_all(self._workers)

    def _fill(self) -> bool:
        """Give every free place a trial; whether any was given."""
        given = False
        while len(self._busy) < self._size and (trial := self._study.ask()) is not None:
            worker = self._free_worker()
            self._busy[worker] = trial
            worker.begin(trial, self._study.workdir(trial.number))
            given = True
        return given

    def _free_worker(self) -> WorkerProcess:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                return worker
            self._end(worker)
        beat = self._limits.silence / _BEATS
        worker = WorkerProcess(self._evaluator, self._least_used_gpu(), beat)
        self._workers.append(worker)  # before it starts: a signal then may end the search
        worker.start()
        return worker

    def _least_used_gpu(self) -> str | None:
        """The GPU of a new process: one each, then several on each; None where all see the same."""
        used = Counter(worker.gpu for worker in [*self._idle, *self._busy])
        return min(self._gpus, key=lambda gpu: used[gpu], default=None)

    def _hear(self, worker: WorkerProcess) -> None:
        trial = self._busy[worker]
        match worker.receive():
            case ("alive",):
                pass  # that was heard
            case ("begun",):
                worker.mark_begun()
            case ("progressed", step, metrics):
                worker.answer(self._study.progress(trial.number, step, metrics))
            case ("ended", outcome):
                del self._busy[worker]
                self._keep(worker, outcome)
                self._study.tell(trial.number, outcome)
            case ("raised", problem):
                raise problem
            case None:
                self._lose(
                    worker,
                    Failure(
                        "worker_lost",
                        f"the worker process ended {worker.how_it_ended()}",
                        worker.age,
                    ),
                )

    def _keep(self, worker: WorkerProcess, outcome: Outcome) -> None:
        """Keep a process for the next trial, but for one in which something broke: that may be the
        process itself, say a GPU that answers no more."""
        if isinstance(outcome, Failure) and outcome.kind == "error":
            self._end(worker)
        else:
            self._idle.append(worker)

    def _end_late_ones(self) -> None:
        timeout, silence = self._limits.timeout, self._limits.silence
        for worker in list(self._busy):
            if timeout is not None and worker.is_late(timeout):
                words = f"no result within {timeout:g} s"
                self._lose(worker, Failure("timeout", words, worker.age))
            elif worker.is_silent(silence):
                words = f"the worker was alive and said nothing for {silence:g} s"
                self._lose(worker, Failure("worker_lost", words, worker.age))

    def _leave_out_own_sleep(self) -> None:
        """While this process was stopped, no worker could be heard."""
        now = time.monotonic()
        slept = now - self._looked_at
        if slept > _SECONDS_OF_A_LOOK:
            for worker in self._busy:
                worker.forgive(slept)
        self._looked_at = now

    def _lose(self, worker: WorkerProcess, failure: Failure) -> None:
        trial = self._busy.pop(worker)
        self._end(worker)
        self._study.tell(trial.number, failure)

    def _end(self, worker: WorkerProcess) -> None:
        worker.kill()
        self._workers.remove(worker)


def visible_gpus() -> tuple[str, ...]:
    """The GPUs that this process sees."""
    if (named := os.environ.get(VISIBLE)) is not None:
        return tuple(name.strip() for name in named.split(",") if name.strip())
    import torch

    return tuple(map(str, range(torch.cuda.device_count())))
