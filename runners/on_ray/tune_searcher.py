"""Our study seen by Ray Tune: what asks it, tells it, and ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

from ray import cloudpickle, exceptions, tune
from ray.air._internal import usage
from ray.air.execution._internal import RayActorManager
from ray.tune.search import Searcher

from nas.contracts import Failure
from runners.on_ray.running_trials import RunningTrials
from runners.on_ray.trial_messages import LEFT_OUT, MESSAGES


@final
class StudySearcher(Searcher):
    """Answers from the study; Tune's own record of what was suggested is thrown away."""

    def __init__(self, running: RunningTrials) -> None:
        super().__init__(metric=None, mode=None)
        self._running = running

    def suggest(self, trial_id: str) -> Any:
        """One more place for trials; None while only waiting can help; FINISHED when nothing is
        left."""
        if self._running.wants_place(trial_id):
            return {LEFT_OUT: self._running.left_out}
        return Searcher.FINISHED if self._running.is_over else None

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """The callback has told the study already."""
        del trial_id, result, error

    def save(self, checkpoint_path: str) -> None:
        """The log is the only state."""
        del checkpoint_path

    def restore(self, checkpoint_path: str) -> None:
        """The log is the only state."""
        del checkpoint_path

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles searchers; the study stays here


@final
class StudyCallback(tune.Callback):
    """Tells the study what Tune hears."""

    def __init__(self, running: RunningTrials) -> None:
        self._running = running

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A worker process exists."""
        del iteration, trials, info
        self._running.mark_started(trial.trial_id, trial.temporary_state.ray_actor)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A worker has said something. Tune keeps every last result, so ours are taken out of
        it."""
        del iteration, trials, info
        self._running.receive(trial.trial_id, result.pop(MESSAGES, ()))
        if result.get("done"):
            self._running.leave(trial.trial_id)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A worker has died, or raised while it had a trial."""
        del iteration, trials, info
        self._running.mark_lost(trial.trial_id, failure_of(_read_problem(trial)))

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Called at least ten times a second."""
        del iteration, trials, info
        self._running.check()


@final
class StopAtEnd(tune.Stopper):
    """Ends the run when the study is over, or cannot go on."""

    def __init__(self, running: RunningTrials) -> None:
        self._running = running

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Single trials are never stopped by Tune."""
        del trial_id, result
        return False

    def stop_all(self) -> bool:
        """Whether nothing is left to do; after a problem nobody waits for the children that still
        run."""
        if self._running.problem is not None:
            self._running.abandon()
        return self._running.is_over

    def __reduce__(self) -> tuple[type[tune.stopper.NoopStopper], tuple[()]]:
        """What Tune writes down of itself is never read; the study behind this one stays out."""
        return tune.stopper.NoopStopper, ()


# What Ray raises of a lost worker besides `RayActorError`, which is all that Tune looks for: on
# these it ends the whole run, or, where a process was starting, forgets what it was.
LOSSES: Final = (
    exceptions.OutOfMemoryError,
    exceptions.ObjectLostError,  # OwnerDiedError is one
    exceptions.OutOfDiskError,
    exceptions.WorkerCrashedError,
    exceptions.NodeDiedError,
)
_COUNT: Final = "tag_callbacks"
_RESOLVED: Final = "_actor_task_resolved"
_HEAR: Final = ("_actor_start_failed", "_actor_task_failed")


def _uncounted(callbacks: object) -> bool:
    """What Tune hears where none were given."""
    del callbacks
    return False


@contextmanager
def callbacks_uncounted() -> Iterator[None]:
    """Keep Tune from counting whose callbacks are used: for that it imports MLflow, W&B and Comet,
    four seconds of each search where these are installed. Where the method is gone, so is its
    cost, or a test of the imports fails."""
    count = getattr(usage, _COUNT, None)
    if count is None:
        yield
        return
    setattr(usage, _COUNT, _uncounted)
    try:
        yield
    finally:
        setattr(usage, _COUNT, count)


class WorkerLostError(exceptions.RayActorError):
    """Such a loss in the form in which Tune takes it for that of one worker."""

    def __init__(self, loss: str = "", name: str = "") -> None:
        super().__init__(error_msg=loss)
        self.loss, self.name = loss, name

    def __reduce__(self) -> tuple[type[WorkerLostError], tuple[str, str]]:
        return type(self), (self.loss, self.name)


@contextmanager
def losses_are_failures() -> Iterator[None]:
    """Let Tune hand us every loss of a worker as that of one trial.

    The methods are private, and there is no other way in; tests/runners/test_ray_memory.py causes
    the real faults, and no search begins on Ray where the methods are gone.
    """
    methods = {name: getattr(RayActorManager, name) for name in _HEAR}
    for name, hear in methods.items():
        setattr(RayActorManager, name, _hearing_losses(hear))
    try:
        yield
    finally:
        for name, hear in methods.items():
            setattr(RayActorManager, name, hear)


@contextmanager
def results_let_go() -> Iterator[None]:
    """Let Tune forget the results of a worker that it has heard: it holds each until the worker
    ends, 2 KiB a trial, and ours live as long as the search.

    The attributes are private; where they are gone, all is as it would be, and tests/runners/
    test_ray.py fails.
    """
    hear = getattr(RayActorManager, _RESOLVED, None)
    if hear is None:
        yield
        return
    setattr(RayActorManager, _RESOLVED, _forgetting(hear))
    try:
        yield
    finally:
        setattr(RayActorManager, _RESOLVED, hear)


def _forgetting(hear: Callable[..., None]) -> Callable[..., None]:
    def hear_and_forget(manager: RayActorManager, *arguments: Any, **about: Any) -> None:
        hear(manager, *arguments, **about)
        held = getattr(manager, "_tracked_actors_to_task_futures", {})
        if awaited := getattr(manager, "_actor_task_events", None):
            still = awaited.get_futures()
            for results in held.values():
                results.intersection_update(still)

    return hear_and_forget


def _hearing_losses(hear: Callable[..., None]) -> Callable[..., None]:
    def hear_all(manager: RayActorManager, *, exception: Exception, **about: Any) -> None:
        if isinstance(exception, LOSSES):
            exception = WorkerLostError(str(exception), type(exception).__name__)
        hear(manager, exception=exception, **about)

    return hear_all


def failure_of(problem: BaseException) -> Failure:
    """Why a worker was lost, as a study writes it down."""
    text = str(problem)
    if isinstance(problem, exceptions.RayTaskError):
        return Failure("error", f"the worker broke with its trial: {_last_line(problem)}\n{text}")
    name = problem.name if isinstance(problem, WorkerLostError) else type(problem).__name__
    if name == "OutOfMemoryError" or "running low on memory" in text:
        return Failure(
            "out_of_memory", "the node ran out of memory and Ray ended the worker\n" + text
        )
    return Failure("worker_lost", f"the worker was lost ({name})\n{text}")


def _read_problem(trial: Any) -> BaseException:
    """Tune hands errors on in a file."""
    try:
        problem: BaseException = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
    except Exception as unreadable:
        return unreadable
    return problem


def _last_line(problem: BaseException) -> str:
    lines = [line for line in str(problem).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(problem).__name__
