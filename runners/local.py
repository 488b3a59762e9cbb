"""Here: one trial after another in this process, or several worker processes at once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import final

from nas.contracts import Evaluator, Runner, Trial, Turns
from nas.errors import SettingsError, shortened
from nas.study.attempt import attempt, settle_here, settled_before


@final
class Local(Runner):
    """This machine.

    Args:
        workers: how many processes evaluate at once; 1 evaluates in this process. Where children
            train on GPUs, each process sees one of them: as many workers as GPUs use all.
        trial_timeout: seconds after which a trial is ended as a failure of kind `timeout` (it then
            runs in a process of its own, which can be killed).
        silence: seconds after which a worker process is given up that is there and says nothing;
            one that lives says so, however long a step of its child takes.
    """

    def __init__(
        self,
        *,
        workers: int = 1,
        trial_timeout: float | None = None,
        silence: float = 60.0,
    ) -> None:
        if not 1 <= workers <= 4096:
            raise SettingsError(f"workers is {workers}: expected a number from 1 to 4096")
        if trial_timeout is not None and not (math.isfinite(trial_timeout) and trial_timeout > 0):
            raise SettingsError(
                f"trial-timeout is {shortened(trial_timeout)}: expected seconds, more than 0"
            )
        if not (math.isfinite(silence) and silence >= 1):
            raise SettingsError(f"silence is {shortened(silence)}: expected seconds, 1 or more")
        self.workers = workers
        self.trial_timeout = trial_timeout
        self.silence = silence

    def check(self, evaluator: Evaluator, folder: Path) -> None:
        """Refuse a device that this machine does not have, and what cannot be sent to a process."""
        if evaluator.one_at_a_time and self.workers > 1:
            raise SettingsError(
                f"workers is {self.workers}, but {type(evaluator).__name__} judges by what the "
                "trials before left: give --workers 1"
            )
        evaluator.settle(settled_before(folder))
        if not self._runs_here:
            from runners._process import refuse_unsendable

            refuse_unsendable(evaluator)

    @property
    def _runs_here(self) -> bool:
        return self.workers == 1 and self.trial_timeout is None

    def run(self, study: Turns, evaluator: Evaluator) -> None:
        """Run until nothing is left to start and nothing runs."""
        settled = settle_here(evaluator, study.folder)
        if self._runs_here:
            while (trial := study.ask()) is not None:
                _run_here(study, evaluator, trial)
        else:
            from runners._pool import Limits, WorkerPool, visible_gpus

            gpus = visible_gpus() if settled.get("device") == "cuda" else ()
            limits = Limits(self.trial_timeout, self.silence)
            WorkerPool(study, evaluator, self.workers, limits, gpus).run()


def _run_here(study: Turns, evaluator: Evaluator, trial: Trial) -> None:
    outcome = attempt(
        evaluator,
        trial,
        study.workdir(trial.number),
        lambda step, metrics: study.progress(trial.number, step, metrics),
    )
    study.tell(trial.number, outcome)
