"""Ray Tune finds the machine: the same study on every processor and GPU of a cluster."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from nas.contracts import Evaluator, Runner, Turns
from nas.errors import SettingsError, shortened
from runners.on_ray.installed import require_ray

if TYPE_CHECKING:
    from ray.tune import PlacementGroupFactory

    from runners.on_ray.cluster import Cluster
    from runners.on_ray.running_trials import RunningTrials


_FINEST = 0.0001  # of a processor or a GPU, as Ray counts
_BEATS = 4  # a worker says so often that it is alive before it is silent
_NODE = "ray.io/node-id"  # the label that Ray gives each node


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
        silence: seconds after which a worker is given up that says nothing, though its process is
            there; one that lives says so, however long a step of its child takes.
    """

    def __init__(
        self,
        *,
        gpus_per_trial: float = 0.0,
        cpus_per_trial: float = 1.0,
        concurrency: int | None = None,
        address: str | None = None,
        trial_timeout: float | None = None,
        silence: float = 60.0,
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
        if not (math.isfinite(silence) and silence >= 1):
            raise SettingsError(f"silence is {shortened(silence)}: expected seconds, 1 or more")
        self.gpus_per_trial, self.cpus_per_trial = gpus_per_trial, cpus_per_trial
        self.concurrency, self.address, self.trial_timeout = concurrency, address, trial_timeout
        self.silence = silence
        self._joined: _Joined | None = None

    def check(self, evaluator: Evaluator, folder: Path) -> None:
        """Refuse to begin without Ray, an address where nobody listens, what no node can give, a
        device that children would not have there, and what cannot be sent to them."""
        if evaluator.one_at_a_time:
            raise SettingsError(
                f"{type(evaluator).__name__} judges by what the trials before left, so they run "
                "one after another, where the log is: give --runner local"
            )
        require_ray()
        if self._joined is not None:
            self._joined.connection.close()
        self._joined = self._join(evaluator, folder)

    def described(self) -> str:
        """The cluster in words: joined to count it, and left again."""
        from runners.on_ray.cluster import alive_nodes, connect, describe

        with tempfile.TemporaryDirectory() as folder, connect(self.address, Path(folder) / "log"):
            return describe(alive_nodes())

    def run(self, study: Turns, evaluator: Evaluator) -> None:
        """Run until nothing is left to start and nothing runs."""
        if study.is_over:
            return  # no reason to start a cluster
        from nas.study.attempt import keep_settled
        from runners.on_ray.cluster import quietly
        from runners.on_ray.watchdog import watch_cluster

        study.folder.mkdir(parents=True, exist_ok=True)
        joined, self._joined = self._joined or self._join(evaluator, study.folder), None
        with joined.connection:
            keep_settled(study.folder, joined.settled)
            for line in joined.cluster.plan():
                study.notice(line)
            with (
                quietly(study.folder / "ray.log"),
                watch_cluster("continue with the same command"),
            ):
                self._tune(study, evaluator, joined)

    def _join(self, evaluator: Evaluator, folder: Path) -> _Joined:
        """Join or start the cluster, and have each of its nodes settle what hangs on it."""
        from nas.study.attempt import settled_before
        from runners.on_ray.cluster import Cluster, Need, connect, refuse_silent, tune_settings
        from runners.on_ray.settling import packed, settle_on_nodes

        content = packed(evaluator)
        refuse_silent(self.address)
        log = folder / "ray.log" if folder.is_dir() else Path(os.devnull)
        with ExitStack() as stack:
            stack.enter_context(tune_settings())
            stack.enter_context(connect(self.address, log))
            cluster = Cluster(Need(self.cpus_per_trial, self.gpus_per_trial), self.concurrency)
            cluster.check()
            cluster.check_device(evaluator.device)
            settled = settle_on_nodes(evaluator, content, settled_before(folder), cluster)
            return _Joined(stack.pop_all(), cluster, content, settled)

    def _tune(self, study: Turns, evaluator: Evaluator, joined: _Joined) -> None:
        from nas.study.attempt import keep_settled
        from runners.on_ray.actors import RayActors
        from runners.on_ray.running_trials import RunningTrials

        actors = RayActors(study)
        running = RunningTrials(
            study,
            actors,
            joined.cluster.limit,
            joined.cluster.faults,
            timeout=self.trial_timeout,
            silence=self.silence,
            settled=lambda settled: keep_settled(study.folder, [settled]),
        )
        throwaway = Path(tempfile.mkdtemp(prefix="nas-tune-"))
        try:
            self._fit(study, evaluator, joined.evaluator, running, throwaway)
        finally:
            running.abandon()
            actors.close()
            shutil.rmtree(throwaway, ignore_errors=True)
        if running.problem is not None:
            raise running.problem

    def _fit(
        self,
        study: Turns,
        evaluator: Evaluator,
        content: bytes,
        running: RunningTrials,
        throwaway: Path,
    ) -> None:
        """One fresh run of Tune, whose trials are our worker processes. It never restores: the log
        of the study is the only truth."""
        from ray import tune

        from nas.study.attempt import settled_before
        from runners.on_ray.trial_worker import TrialWorker
        from runners.on_ray.tune_searcher import (
            StopAtEnd,
            StudyCallback,
            StudySearcher,
            callbacks_uncounted,
            losses_are_failures,
            results_let_go,
        )

        worker = tune.with_parameters(
            TrialWorker,
            evaluator=content,
            shared=evaluator.shared(),
            known=settled_before(study.folder),
            gpus=self.gpus_per_trial,
            asks=study.stops_early,
            token=_token(study.folder),
            beat=self.silence / _BEATS,
        )
        with losses_are_failures(), callbacks_uncounted(), results_let_go():
            tune.run(
                tune.with_resources(
                    worker, partial(_place, self.cpus_per_trial, self.gpus_per_trial)
                ),
                search_alg=StudySearcher(running),
                callbacks=[StudyCallback(running)],
                stop=StopAtEnd(running),
                num_samples=-1,
                max_failures=0,
                raise_on_failed_trial=False,
                verbose=0,
                storage_path=str(throwaway),
                name="study",
                trial_dirname_creator=lambda trial: trial.trial_id,
            )


@dataclass(frozen=True, slots=True)
class _Joined:
    """A cluster that was joined, and what was settled on its nodes."""

    connection: ExitStack
    cluster: Cluster
    evaluator: bytes
    settled: Sequence[Mapping[str, Any]]


def _place(cpus: float, gpus: float, config: Mapping[str, Any]) -> PlacementGroupFactory:
    """What a worker process takes, on a node that is not left out."""
    from ray.tune import PlacementGroupFactory

    from runners.on_ray.trial_messages import LEFT_OUT

    nodes = config[LEFT_OUT]
    away: dict[str, Any] = (
        {"bundle_label_selector": [{_NODE: f"!in({','.join(nodes)})"}]} if nodes else {}
    )
    return PlacementGroupFactory([{"CPU": cpus, "GPU": gpus}], **away)


def _token(folder: Path) -> str:
    """A name for this study on any node: what lies under it may only be taken up by the same
    study."""
    plan = folder / "study.json"
    content = str(folder.resolve()).encode() + (plan.read_bytes() if plan.exists() else b"")
    return hashlib.sha256(content).hexdigest()[:16]
