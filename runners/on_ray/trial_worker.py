"""The worker's side: a Tune trainable that attempts one trial after another and sends its messages
to the driver."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, final

import ray
from ray import cloudpickle, tune

from nas.contracts import Evaluator, Failure, Trial
from nas.errors import NasError
from nas.study.attempt import attempt
from runners.on_ray.packed_files import pack
from runners.on_ray.settling import settled_in_process
from runners.on_ray.trial_messages import MESSAGES, Began, Ended, Message, Progressed, Raised, Unfit

_SECONDS_TO_STOP = 10.0
_SHORTEST_WAIT, _LONGEST_WAIT, _SECONDS_IDLE = 0.02, 1.0, 60.0
_SECONDS_LEFT_WORK_STAYS = 7 * 24 * 3600.0


@final
class _Attempt:
    """One trial in a thread of its own, so that its reports can be waited for one by one.

    Args:
        asks: whether a report waits for the driver's answer; without a stopping rule the answer is
            always to go on.
    """

    def __init__(self, evaluator: Evaluator, trial: Trial, workdir: Path, *, asks: bool) -> None:
        self._evaluator, self._trial, self._workdir, self._asks = evaluator, trial, workdir, asks
        self._messages: SimpleQueue[Message] = SimpleQueue()
        self._answers: SimpleQueue[bool] = SimpleQueue()
        self._owes_answer = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def next_messages(self, *, go_on: bool, patience: float) -> list[Message]:
        """Answer the last report, wait so many seconds for something new and take all there is."""
        if self._owes_answer:
            self._answers.put(go_on)
            self._owes_answer = False
        try:
            messages = [self._messages.get(timeout=patience)]
        except Empty:
            return []
        while not self._messages.empty():
            messages.append(self._messages.get())
        self._owes_answer = self._asks and isinstance(messages[-1], Progressed)
        self._ended = not isinstance(messages[-1], Progressed)
        return messages

    def abandon(self, *, patience: float) -> None:
        """Ask it to stop and wait so many seconds."""
        if not self._ended:
            self._asks = False
            self._answers.put(False)
        self._thread.join(patience)

    def _run(self) -> None:
        try:
            outcome = attempt(
                self._evaluator, self._trial, self._workdir, self._report, interruptible=False
            )
            kept = pack(self._workdir / "keep")
            message: Message = Ended(outcome, ray.put(kept) if kept else None)
        except NasError as problem:
            message = Raised(problem)
        except (
            Exception
        ) as problem:  # no memory or disk for its files: unsaid, the driver would wait for ever
            message = Ended(
                Failure(
                    "worker_lost", f"what the trial left could not be sent\n{_describe(problem)}"
                )
            )
        shutil.rmtree(self._workdir, ignore_errors=True)
        self._messages.put(message)

    def _report(self, step: int, metrics: Mapping[str, Any]) -> bool:
        asks = self._asks
        self._messages.put(Progressed(step, dict(metrics)))
        return self._answers.get() if asks else True


class TrialWorker(tune.Trainable):
    """A place for trials: Tune takes it for one long trial, in which it attempts whatever it is
    given, one trial after another."""

    def setup(  # type: ignore[override]  # Tune fills in the others, see `tune.with_parameters`
        self,
        config: dict[str, Any],
        evaluator: bytes,
        shared: Any,
        known: Sequence[Mapping[str, Any]],
        gpus: float,
        asks: bool,
        token: str,
        beat: float,
    ) -> None:
        """Called once in each worker process; evaluator and data come from the node's object
        store. What goes wrong is the first word of this process, not an exception of Tune's.

        Args:
            known: what was settled on kinds of machines before.
            gpus: what Ray reserves for it; then the evaluator must use one.
            beat: seconds after which a step ends, whatever the child does.
        """
        del config
        self._asks, self._beat = asks, beat
        self._folder = Path(tempfile.gettempdir()) / f"nas-{token}"
        self._attempt: _Attempt | None = None
        self._given: Trial | None = None
        self._is_to_stop = False
        self._idle_since = time.monotonic()
        node = ray.get_runtime_context().get_node_id()
        try:
            self._evaluator: Evaluator = cloudpickle.loads(evaluator)
            self._evaluator.take_shared(shared)
            settled = settled_in_process(self._evaluator, known, gpus)
            self._first_word: Message | None = Began(node, settled)
        except Exception as problem:
            self._first_word = Unfit(node, _describe(problem), isinstance(problem, NasError))
        _clear_old_work()
        gc.collect()
        gc.freeze()  # what is loaded now stays, so later collections need not look at it

    def step(self) -> dict[str, Any]:
        """Run until there is something to say, or until it is time to say that this process is
        alive: the child runs in a thread of its own."""
        if (word := self._first_word) is not None:
            self._first_word = None
            return {"done": isinstance(word, Unfit), MESSAGES: [word]}
        if self._given is not None:
            self._begin(self._given)
        if self._attempt is None:
            return self._wait()

        messages = self._attempt.next_messages(go_on=not self._is_to_stop, patience=self._beat)
        if messages and not isinstance(messages[-1], Progressed):
            self._let_go(patience=_SECONDS_TO_STOP)
            _release_memory()
        return {"done": False, MESSAGES: messages}

    def give(self, trial: Trial) -> None:
        """Called by the driver between two steps: the next one begins this trial."""
        self._given = trial

    def stop_early(self) -> None:
        """Called by the driver between two steps: the next report is answered with a stop."""
        self._is_to_stop = True

    def cleanup(self) -> None:
        """Stop what runs; this process ends in a moment, and Tune waits for it."""
        self._let_go(patience=0.0)

    def _begin(self, trial: Trial) -> None:
        # An attempt that dies leaves its folder, so that the next one on this node may continue
        # where it was.
        workdir = self._folder / f"{trial.number}-{trial.seed}"
        self._given = None
        self._attempt = _Attempt(self._evaluator, trial, workdir, asks=self._asks)

    def _wait(self) -> dict[str, Any]:
        """Ask for a trial now and then, more seldom the longer there is none; in the end this place
        is given back."""
        idle = time.monotonic() - self._idle_since
        time.sleep(min(max(_SHORTEST_WAIT, idle / 4), _LONGEST_WAIT))
        return {"done": idle > _SECONDS_IDLE, MESSAGES: []}

    def _let_go(self, *, patience: float) -> None:
        if self._attempt is not None:
            self._attempt.abandon(patience=patience)
        self._attempt, self._is_to_stop = None, False
        self._idle_since = time.monotonic()


def _describe(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"


def _release_memory() -> None:
    """Give back what a child held, also on the GPU that it shares with others."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _clear_old_work() -> None:
    """Drop what studies left on this node long ago."""
    for folder in Path(tempfile.gettempdir()).glob("nas-*"):
        try:
            is_old = time.time() - folder.stat().st_mtime > _SECONDS_LEFT_WORK_STAYS
            is_ours = folder.stat().st_uid == os.getuid()
        except OSError:
            continue
        if is_old and is_ours:
            shutil.rmtree(folder, ignore_errors=True)
