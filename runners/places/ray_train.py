"""Ray finds the machines: several processes for one training through Ray Train, or several
trainings at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from nas.errors import SettingsError, shortened
from nas.full_size.trainings import Job, Place, Trained
from nas.training.process_group import check_norms
from runners.on_ray.installed import require_ray

if TYPE_CHECKING:
    from runners.on_ray.training_driver import TrainingDriver

_MOST_WORKERS = 4096


@final
class RayTrain(Place):
    """A Ray cluster: the one at `address`, else the one that runs on this machine, else one started
    here.

    With one worker, each training runs by itself and as many run at once as there is room for. With
    more, they divide every batch of one training among them. Networks, images and weights travel
    through Ray.

    Args:
        workers: how many processes train one network together.
        threads: processors of each worker.
        gpus_per_worker: GPUs of each worker; where a worker trains alone, also a share of one
            (0.25: four on each).
        sync_batch_norm: let batch norms see the whole batch, not each worker's share of it; on GPUs
            only.
        address: `auto` (what runs on this machine) or `HOST:PORT` of the head.
    """

    def __init__(
        self,
        *,
        workers: int = 1,
        threads: int = 1,
        gpus_per_worker: float = 0.0,
        sync_batch_norm: bool = False,
        address: str | None = None,
    ) -> None:
        if not 1 <= workers <= _MOST_WORKERS:
            raise SettingsError(
                f"workers is {workers}: expected a number from 1 to {_MOST_WORKERS}"
            )
        if not (math.isfinite(gpus_per_worker) and 0 <= gpus_per_worker <= 1):
            raise SettingsError(
                f"gpus-per-worker is {shortened(gpus_per_worker)}: expected a number from 0 to 1"
            )
        if workers > 1 and gpus_per_worker not in (0, 1):
            raise SettingsError(
                f"gpus-per-worker is {gpus_per_worker:g}: workers that train one network together "
                "take a whole GPU "
                "each, so expected 0 or 1"
            )
        if sync_batch_norm and workers == 1:
            raise SettingsError(
                "--sync-batch-norm is for workers that divide a batch: add --workers 2 or more"
            )
        self.workers, self.threads, self.gpus_per_worker = workers, threads, gpus_per_worker
        self.sync_batch_norm, self.address = sync_batch_norm, address
        require_ray()
        if sync_batch_norm:
            check_norms(self.device)
        self._driver: TrainingDriver | None = None
        self._start: Callable[[], TrainingDriver] | None = None

    @property
    def device(self) -> str:
        """What a worker computes on."""
        return "cuda" if self.gpus_per_worker else "cpu"

    def facts(self) -> dict[str, Any]:
        """Into how many shares a batch is divided, for each has batch statistics of its own."""
        if self.workers == 1:
            return {}
        return {"workers": self.workers, "sync_batch_norm": self.sync_batch_norm}

    @contextmanager
    def opened(self, folder: Path, notice: Callable[[str], None]) -> Iterator[None]:
        """Join or start Ray when the first training begins, and leave it at the end; its words go
        to `ray.log`."""
        with ExitStack() as stack:

            def start() -> TrainingDriver:
                from runners.on_ray.training_driver import Workers, start_driver

                workers = Workers(
                    self.workers,
                    self.threads,
                    self.gpus_per_worker,
                    self.sync_batch_norm,
                    self.address,
                )
                return stack.enter_context(start_driver(workers, folder, notice))

            self._start = start
            try:
                yield
            finally:
                self._driver = self._start = None

    def trainings(self, jobs: Sequence[Job]) -> Iterator[Trained]:
        """Each training in the order of the jobs, whichever ends first."""
        found = [job.done() for job in jobs]
        begun: dict[int, int] = {}
        if self.workers == 1:
            begun = {
                index: self._begin(job) for index, job in enumerate(jobs) if found[index] is None
            }
        for index, job in enumerate(jobs):
            yield found[index] or self._wait(begun[index] if index in begun else self._begin(job))

    def _begin(self, job: Job) -> int:
        if self._driver is None:
            assert self._start is not None, "a place is opened before it is used"
            self._driver = self._start()
        return self._driver.begin(job)

    def _wait(self, number: int) -> Trained:
        assert self._driver is not None
        return self._driver.wait(number)
