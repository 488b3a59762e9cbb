"""A worker process that evaluates one trial at a time and dies with its driver."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, final

from nas.contracts import Evaluator, Report, Trial
from nas.errors import NasError, SettingsError, StudyError
from nas.study.attempt import attempt

VISIBLE = "CUDA_VISIBLE_DEVICES"
_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_TO_START = 300.0
_FOR_THE_DRIVER = (
    signal.SIGINT,
    signal.SIGTERM,
)  # it decides what may finish, also when all processes hear them


@final
class WorkerProcess:
    """The driver's end of a worker process."""

    def __init__(self, evaluator: Evaluator, gpu: str | None = None, beat: float = 15.0) -> None:
        """Make ready what `start` starts.

        Args:
            gpu: the only one it sees; None: those that its driver sees.
            beat: seconds after which it says that it is alive, whatever its child does.
        """
        self.gpu = gpu
        self._evaluator = evaluator
        context = multiprocessing.get_context("spawn")
        self._connection, self._theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(self._theirs, evaluator, os.getpid(), beat), daemon=True
        )
        self._given_at = self._heard_at = time.monotonic()
        self._begun_at: float | None = None
        self._has_begun_once = False

    def start(self) -> None:
        """Start it; a signal that comes meanwhile is heard at the end of this."""
        try:
            with _without_signals(), _seeing(self.gpu):
                self._process.start()
        except (TypeError, AttributeError, pickle.PicklingError) as problem:
            raise SettingsError(_unsendable(self._evaluator, problem)) from problem
        self._theirs.close()

    @property
    def age(self) -> float:
        """Seconds since the present trial began, or since it was given to a process that has not
        begun it."""
        return time.monotonic() - (self._given_at if self._begun_at is None else self._begun_at)

    @property
    def is_alive(self) -> bool:
        """Whether the process can take a trial."""
        return self._process.is_alive()

    def is_late(self, seconds: float) -> bool:
        """Whether the present trial has run longer than this; a process that only starts may take
        its time."""
        return self.age > (max(seconds, _SECONDS_TO_START) if self._begun_at is None else seconds)

    def is_silent(self, seconds: float) -> bool:
        """Whether it has said nothing for so long, though it is there."""
        if self._begun_at is None:
            return self.age > max(seconds, _SECONDS_TO_START)
        return time.monotonic() - self._heard_at > seconds

    def forgive(self, seconds: float) -> None:
        """Leave out so many seconds in which it could not be heard."""
        self._heard_at += seconds

    def mark_begun(self) -> None:
        """The process says that it has begun the present trial."""
        self._begun_at, self._has_begun_once = time.monotonic(), True

    def begin(self, trial: Trial, workdir: Path) -> None:
        """Give it a trial."""
        self._given_at = self._heard_at = time.monotonic()
        self._begun_at = None
        self._send((trial, workdir))

    def receive(self) -> tuple[Any, ...] | None:
        """Its next message: `alive`, `begun`, `progressed`, `ended` or `raised`; None when it is
        dead."""
        self._heard_at = time.monotonic()
        try:
            message: tuple[Any, ...] = self._connection.recv()
        except (EOFError, OSError):
            return None
        return message

    def answer(self, go_on: bool) -> None:
        """Answer a report."""
        self._send(go_on)

    def how_it_ended(self) -> str:
        """With which exit code or signal it died; one that could not even start is an error, since
        none will."""
        self._process.join(timeout=5)
        code = self._process.exitcode
        if code and code > 0 and not self._has_begun_once:
            raise StudyError(
                f"a worker process ended with exit code {code} before its first trial: what it "
                "printed says why; mend "
                "that and resume, or evaluate in this process with --workers 1"
            )
        return f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"

    def kill(self) -> None:
        """End it at once, if it was started at all."""
        if self._process.pid is not None:
            self._process.kill()
            self._process.join()
        self._connection.close()

    def _send(self, message: Any) -> None:
        try:
            self._connection.send(message)
        except OSError:
            return  # it is dead: the next `receive` says so


def kill_all(workers: Sequence[WorkerProcess]) -> None:
    """End them all at once; no signal comes between. Python waits at its end for one that is left,
    and that one does not hear its signal to end."""
    with _without_signals():
        for worker in workers:
            worker.kill()


def refuse_unsendable(evaluator: Evaluator) -> None:
    """Refuse an evaluator that no other process could be given."""
    try:
        pickle.Pickler(_Nowhere()).dump(evaluator)
    except Exception as problem:  # whatever its parts raise
        raise SettingsError(_unsendable(evaluator, problem)) from problem


class _Nowhere:
    """A file that keeps nothing."""

    def write(self, content: bytes) -> int:
        return len(content)


def _unsendable(evaluator: Evaluator, problem: Exception) -> str:
    return (
        f"evaluator {type(evaluator).__name__} cannot be sent to a worker process ({problem}): "
        "keep only plain values in it, or evaluate here with --workers 1"
    )


def wait_for_any(workers: Sequence[WorkerProcess], seconds: float) -> list[WorkerProcess]:
    """The workers that have something to say (a dead one has), after at most so many seconds."""
    connections = {worker._connection: worker for worker in workers}
    return [
        connections[ready]
        for ready in wait(list(connections), seconds)
        if isinstance(ready, Connection)
    ]


@contextmanager
def _without_signals() -> Iterator[None]:
    """What starts in here does not hear the driver's signals, not even before its first line; none
    is lost."""
    resource_tracker.ensure_running()  # else `start` would, and that lets the signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_DRIVER)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _seeing(gpu: str | None) -> Iterator[None]:
    """What starts in here sees one GPU: the variable counts from the first call of CUDA on."""
    before = os.environ.get(VISIBLE)
    if gpu is not None:
        os.environ[VISIBLE] = gpu
    try:
        yield
    finally:
        if gpu is not None and before is not None:
            os.environ[VISIBLE] = before
        elif gpu is not None:
            del os.environ[VISIBLE]


def _serve(
    connection: Connection[Any, Any], evaluator: Evaluator, driver: int, beat: float
) -> None:
    for name in _FOR_THE_DRIVER:
        signal.signal(name, signal.SIG_IGN)
    threading.Thread(target=_die_with, args=(driver,), daemon=True).start()
    voice = _Voice(connection)
    threading.Thread(target=voice.beat, args=(beat,), daemon=True).start()
    with suppress(EOFError, OSError):  # the driver is gone
        while True:
            trial, workdir = connection.recv()
            with voice.at_work():
                voice.say(("begun",))
                report = partial(_report, connection, voice)
                voice.say(_attempt(evaluator, trial, workdir, report))


@final
class _Voice:
    """What is said to the driver, by one thread at a time."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._is_at_work = False

    def say(self, message: tuple[Any, ...]) -> None:
        with self._lock:
            self._connection.send(message)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While there is a trial, whose end is waited for."""
        self._is_at_work = True
        try:
            yield
        finally:
            self._is_at_work = False

    def beat(self, seconds: float) -> None:
        """Say again and again that this process is alive."""
        with suppress(OSError):
            while True:
                time.sleep(seconds)
                if self._is_at_work:
                    self.say(("alive",))


def _attempt(
    evaluator: Evaluator, trial: Trial, workdir: Path, report: Report
) -> tuple[str, object]:
    try:
        return "ended", attempt(evaluator, trial, workdir, report, interruptible=False)
    except NasError as problem:
        return "raised", problem


def _report(
    connection: Connection[Any, Any], voice: _Voice, step: int, metrics: Mapping[str, Any]
) -> bool:
    voice.say(("progressed", step, dict(metrics)))
    go_on: bool = connection.recv()
    return go_on


def _die_with(driver: int) -> None:
    while os.getppid() == driver:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)
