"""Ray Tune finds the machine: the same study on every processor and GPU of a cluster."""

from __future__ import annotations

import hashlib
import math
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, final

from nas.contracts import Evaluator, Runner, Turns
from nas.errors import SettingsError, shortened

if TYPE_CHECKING:
    from runners.on_ray.cluster import Cluster
    from runners.on_ray.running_trials import RunningTrials


_FINEST = 0.0001  # of a processor or a GPU, as Ray counts


@final
class RayTune(Runner):
    """A Ray cluster: the one at `address`, else the one that runs on this machine, else one started
    here.

    This process asks and tells the study; workers only attempt trials, and what they find comes
    back through Ray.

    Args:
        gpus_per_trial: share of a GPU (0.25: four children on each) or whole GPUs of one child.
        cpus_per_trial: processors of one child.
        concurrency: how many children at once; as many as fit where nothing is said, also when
            nodes come and go.
        address: `auto` (what runs on this machine) or `HOST:PORT` of the head.
        trial_timeout: seconds after which a trial is ended as a failure of kind `timeout`.
    """

    def __init__(
        self,
        *,
        gpus_per_trial: float = 0.0,
        cpus_per_trial: float = 1.0,
        concurrency: int | None = None,
        address: str | None = None,
        trial_timeout: float | None = None,
    ) -> None:
        for name, value in (("gpus-per-trial", gpus_per_trial), ("cpus-per-trial", cpus_per_trial)):
            if not (math.isfinite(value) and 0 <= value <= 1_000):
                raise SettingsError(
                    f"{name} is {shortened(value)}: expected a number from 0 to 1000"
                )
            if 0 < value < _FINEST:
                raise SettingsError(
                    f"{name} is {value:g}: Ray counts in steps of {_FINEST:g}; expected 0 or at "
                    "least that"
                )
        if gpus_per_trial > 1 and gpus_per_trial != int(gpus_per_trial):
            raise SettingsError(
                f"gpus-per-trial is {gpus_per_trial:g}: expected a share of one GPU, or whole GPUs"
            )
        if gpus_per_trial == 0 and cpus_per_trial == 0:
            raise SettingsError(
                "cpus-per-trial and gpus-per-trial are both 0: a child needs something to run on"
            )
        if concurrency is not None and not 1 <= concurrency <= 10_000:
            raise SettingsError(f"concurrency is {concurrency}: expected a number from 1 to 10000")
        if trial_timeout is not None and not (math.isfinite(trial_timeout) and trial_timeout > 0):
            raise SettingsError(
                f"trial-timeout is {shortened(trial_timeout)}: expected seconds, more than 0"
            )
        self.gpus_per_trial, self.cpus_per_trial = gpus_per_trial, cpus_per_trial
        self.concurrency, self.address, self.trial_timeout = concurrency, address, trial_timeout

    def check(self) -> None:
        """Refuse an address where nobody listens."""
        if self.address is not None:
            from runners.on_ray.cluster import refuse_silent

            refuse_silent(self.address)

    def described(self) -> str:
        """The cluster in words: joined to count it, and left again."""
        from runners.on_ray.cluster import alive_nodes, connect, describe

        with tempfile.TemporaryDirectory() as folder, connect(self.address, Path(folder) / "log"):
            return describe(alive_nodes())

    def run(self, study: Turns, evaluator: Evaluator) -> None:
        """Run until nothing is left to start and nothing runs."""
        if study.is_over:
            return  # no reason to start a cluster
        from runners.on_ray.cluster import Cluster, Need, connect, tune_settings
        from runners.on_ray.watchdog import watch_cluster

        study.folder.mkdir(parents=True, exist_ok=True)
        with tune_settings(), connect(self.address, study.folder / "ray.log"):
            cluster = Cluster(Need(self.cpus_per_trial, self.gpus_per_trial), self.concurrency)
            cluster.check()
            cluster.check_device(evaluator.measured().get("device"))
            for line in cluster.plan():
                study.notice(line)
            with watch_cluster("continue with the same command"):
                self._tune(study, evaluator, cluster)

    def _tune(self, study: Turns, evaluator: Evaluator, cluster: Cluster) -> None:
        from runners.on_ray.actors import RayActors
        from runners.on_ray.running_trials import RunningTrials

        running = RunningTrials(
            study, RayActors(study), cluster.limit, self.trial_timeout, cluster.room
        )
        throwaway = Path(tempfile.mkdtemp(prefix="nas-tune-"))
        try:
            self._fit(study, evaluator, running, throwaway)
        finally:
            running.abandon()
            shutil.rmtree(throwaway, ignore_errors=True)
        if running.problem is not None:
            raise running.problem

    def _fit(
        self, study: Turns, evaluator: Evaluator, running: RunningTrials, throwaway: Path
    ) -> None:
        """One fresh run of Tune. It never restores: the log of the study is the only truth."""
        from ray import tune

        from runners.on_ray.trial_worker import TrialWorker
        from runners.on_ray.tune_searcher import (
            InOrder,
            StopOnProblem,
            StudyCallback,
            StudySearcher,
            losses_are_failures,
        )

        worker = tune.with_parameters(
            TrialWorker,
            evaluator=evaluator,
            shared=evaluator.shared(),
            asks=study.stops_early,
            token=_token(study.folder),
        )
        resources = {"cpu": self.cpus_per_trial, "gpu": self.gpus_per_trial}
        with losses_are_failures():
            tune.run(
                tune.with_resources(worker, resources),
                search_alg=StudySearcher(running),
                scheduler=InOrder(running),
                callbacks=[StudyCallback(running)],
                stop=StopOnProblem(running),
                num_samples=-1,
                reuse_actors=True,
                max_failures=0,
                raise_on_failed_trial=False,
                verbose=0,
                storage_path=str(throwaway),
                name="study",
                trial_dirname_creator=lambda trial: trial.trial_id,
            )


def _token(folder: Path) -> str:
    """A name for this study on any node: what lies under it may only be taken up by the same
    study."""
    plan = folder / "study.json"
    content = str(folder.resolve()).encode() + (plan.read_bytes() if plan.exists() else b"")
    return hashlib.sha256(content).hexdigest()[:16]
