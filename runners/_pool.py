"""Several processes of this machine that evaluate at once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import final

from nas.contracts import Evaluator, Failure, Outcome, Trial, Turns
from runners._process import VISIBLE, WorkerProcess, wait_for_any

_SLICE_SECONDS = 0.5  # how often an idle driver looks at deadlines and at a wish to stop


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
        timeout: float | None,
        gpus: Sequence[str] = (),
    ) -> None:
        self._study = study
        self._evaluator = evaluator
        self._size = size
        self._timeout = timeout
        self._gpus = gpus
        self._idle: list[WorkerProcess] = []
        self._busy: dict[WorkerProcess, Trial] = {}

    def run(self) -> None:
        """Run until nothing is left to start and nothing runs."""
        try:
            while self._fill() or self._busy:
                self._study.free(self._size - len(self._busy))
                for worker in wait_for_any(list(self._busy), _SLICE_SECONDS):
                    self._hear(worker)
                self._end_late_ones()
        finally:
            for worker in [*self._idle, *self._busy]:
                worker.kill()

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
            worker.kill()
        return WorkerProcess(self._evaluator, self._least_used_gpu())

    def _least_used_gpu(self) -> str | None:
        """The GPU of a new process: one each, then several on each; None where all see the same."""
        used = Counter(worker.gpu for worker in [*self._idle, *self._busy])
        return min(self._gpus, key=lambda gpu: used[gpu], default=None)

    def _hear(self, worker: WorkerProcess) -> None:
        trial = self._busy[worker]
        match worker.receive():
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
            worker.kill()
        else:
            self._idle.append(worker)

    def _end_late_ones(self) -> None:
        if self._timeout is None:
            return
        for worker in [worker for worker in self._busy if worker.is_late(self._timeout)]:
            self._lose(
                worker, Failure("timeout", f"no result within {self._timeout:g} s", worker.age)
            )

    def _lose(self, worker: WorkerProcess, failure: Failure) -> None:
        trial = self._busy.pop(worker)
        worker.kill()
        self._study.tell(trial.number, failure)


def visible_gpus() -> tuple[str, ...]:
    """The GPUs that this process sees."""
    if (named := os.environ.get(VISIBLE)) is not None:
        return tuple(name.strip() for name in named.split(",") if name.strip())
    import torch

    return tuple(map(str, range(torch.cuda.device_count())))
