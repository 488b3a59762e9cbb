"""What the driver does to workers, through their handles in Ray."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, final

import ray

from nas.contracts import Failure, Trial, Turns
from runners.on_ray.packed_files import unpack
from runners.on_ray.running_trials import Actors

_SECONDS_TO_FETCH = 300.0
_FETCHES_AT_ONCE = 4


@final
class RayActors(Actors):
    """Workers of this driver's job."""

    def __init__(self, study: Turns) -> None:
        self._study = study
        self._fetchers = ThreadPoolExecutor(_FETCHES_AT_ONCE, "nas-fetch")

    def give(self, actor: Any, trial: Trial) -> None:
        """Ray runs the calls of one driver in order, so this one comes before the worker's next
        step."""
        actor.give.remote(trial)

    def stop_early(self, actor: Any) -> None:
        """It comes before the next step too."""
        actor.stop_early.remote()

    def kill(self, actor: Any) -> None:
        """End the process, also one that was stopped by a signal."""
        if actor is not None:
            ray.kill(actor, no_restart=True)

    def fetch(self, files: Any, trial: Trial) -> Future[Failure | None]:
        """Take the files out of the object store, beside what else the driver does."""
        return self._fetchers.submit(self._fetch, files, trial)

    def close(self) -> None:
        """Let go of the threads; what they still fetch is of no use."""
        self._fetchers.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, files: Any, trial: Trial) -> Failure | None:
        try:
            content = ray.get(files, timeout=_SECONDS_TO_FETCH)
        except ray.exceptions.RayError as problem:
            return Failure(
                "worker_lost", f"the worker was lost with the files of its trial\n{problem}"
            )
        unpack(content, self._study.workdir(trial.number) / "keep")
        return None
