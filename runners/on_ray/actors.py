"""What the driver does to workers, through their handles in Ray."""

from __future__ import annotations

from typing import Any, final

import ray

from nas.contracts import Failure, Trial, Turns
from runners.on_ray.packed_files import unpack
from runners.on_ray.running_trials import Actors


@final
class RayActors(Actors):
    """Workers of this driver's job."""

    def __init__(self, study: Turns) -> None:
        self._study = study

    def stop_early(self, actor: Any) -> None:
        """Ray runs the calls of one driver in order, so this one comes before the worker's next
        step."""
        actor.stop_early.remote()

    def kill(self, actor: Any) -> None:
        """End the process, also one that was stopped by a signal."""
        if actor is not None:
            ray.kill(actor, no_restart=True)

    def fetch(self, files: Any, trial: Trial) -> Failure | None:
        """Take the files out of the object store."""
        try:
            content = ray.get(files)
        except ray.exceptions.RayError as problem:
            return Failure(
                "worker_lost", f"the worker was lost with the files of its trial\n{problem}"
            )
        unpack(content, self._study.workdir(trial.number) / "keep")
        return None
