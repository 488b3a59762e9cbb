"""Any study as optuna-dashboard shows it: its log is mirrored into a storage in memory, and
followed while it grows; of several objectives the dashboard draws the front."""

from __future__ import annotations

import errno
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, Self, final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna import logging
from optuna.distributions import CategoricalDistribution
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from nas.contracts import Evaluation, Failure, Stopped
from nas.errors import NasError
from nas.search.plan import Plan
from nas.search.reading import events_of
from nas.study.events import outcome_of
from nas.study.store import Event
from search_spaces.cells.genotype import Genotype

HOST = "127.0.0.1"
_SECONDS_BETWEEN_LOOKS = 1.0
_CURVES = ("score", "val_accuracy")


@final
class Mirror:
    """A study in Optuna's words: evaluated and reused trials are complete, stopped ones pruned,
    failed ones failed.

    Optuna numbers trials without gaps and a study skips numbers, so every trial carries its own in
    `trial`.
    """

    def __init__(self, folder: Path, *, trust: bool = False) -> None:
        plan = Plan.read(folder, trust=trust)
        self.folder = folder
        self.storage = InMemoryStorage()
        self._space = plan.make_space()
        self._distributions = {
            decision.name: CategoricalDistribution(decision.options)
            for decision in self._space.decisions
        }
        self._seen = -1  # where the last event mirrored begins
        self._asked: dict[int, FrozenTrial] = {}  # not in the storage yet
        self._running: dict[int, int] = {}  # the storage's own numbers
        objectives = () if plan.objectives is None else plan.objectives.formulas
        before = logging.get_verbosity()
        logging.set_verbosity(logging.ERROR)
        self._study = self.storage.create_new_study(
            [StudyDirection.MAXIMIZE] * max(1, len(objectives)), folder.resolve().name
        )
        logging.set_verbosity(before)
        self._several = bool(objectives)
        if objectives:  # as Study.set_metric_names does, which warns that it may change
            names = list(objectives)
            self.storage.set_study_system_attr(self._study, "study:metric_names", names)
        for name in ("space", "strategy", "evaluator"):
            self.storage.set_study_user_attr(self._study, name, getattr(plan, name).name)

    def update(self) -> None:
        """Mirror what the log holds by now."""
        for offset, event in events_of(self.folder, max(self._seen, 0)):
            if offset > self._seen:
                self._seen = offset
                self._mirror(event)
        for number in list(self._asked):
            self._running[number] = self._create(self._asked.pop(number))

    def _mirror(self, event: Event) -> None:
        match event:
            case {"event": "asked", "number": number, "genotype": genotype, "key": key}:
                self._asked[number] = self._trial(number, Genotype.from_dict(genotype), key)
                self._asked[number].datetime_start = _time(event)
            case {"event": "progressed", "number": number, "step": step, "metrics": metrics}:
                self._progress(number, step, metrics)
            case {"event": "told" | "stopped" | "failed", "number": number}:
                self._ended(number, _End.read(event, several=self._several))

    def _ended(self, number: int, end: _End) -> None:
        if number in self._asked:  # one call for a trial that ended before we looked
            self._create(end.added_to(self._asked.pop(number)))
        elif number in self._running:
            self._end(self._running.pop(number), end)

    def _trial(self, number: int, genotype: Genotype, key: str) -> FrozenTrial:
        choices = self._space.encode(genotype)
        answers = zip(self._space.decisions, choices, strict=True)
        return create_trial(
            state=TrialState.RUNNING,
            params={decision.name: decision.options[choice] for decision, choice in answers},
            distributions=dict(self._distributions),
            user_attrs={"trial": number, "key": key},
        )

    def _create(self, trial: FrozenTrial) -> int:
        return self.storage.create_new_trial(self._study, template_trial=trial)

    def _progress(self, number: int, step: int, metrics: Mapping[str, Any]) -> None:
        value = next(
            (metrics[name] for name in _CURVES if isinstance(metrics.get(name), int | float)), None
        )
        if value is None:
            return
        if number in self._asked:
            self._asked[number].intermediate_values[step] = value
        elif number in self._running:
            self.storage.set_trial_intermediate_value(self._running[number], step, value)

    def _end(self, trial: int, end: _End) -> None:
        for name, value in end.attributes:
            self.storage.set_trial_user_attr(trial, name, value)
        if end.step is not None and end.score is not None:
            self.storage.set_trial_intermediate_value(trial, end.step, end.score)
        self.storage.set_trial_state_values(trial, end.state, end.values)


@dataclass(frozen=True, slots=True)
class _End:
    """How a trial ended; `step` where it was stopped early, and what is worth a column."""

    state: TrialState
    when: datetime
    score: float | None
    values: Sequence[float] | None
    step: int | None
    attributes: tuple[tuple[str, Any], ...]

    @classmethod
    def read(cls, event: Event, *, several: bool) -> Self:
        """What a last line says; with several objectives a stopped trial has no values, for it
        says nothing of the others."""
        attributes: list[tuple[str, Any]] = []
        score: float | None
        step: int | None
        values: Sequence[float] | None
        if "reused" in event:
            attributes.append(("reused from trial", event["reused"]))
        match outcome_of(event):
            case Evaluation(score, metrics, seconds, objectives):
                state, step, values = TrialState.COMPLETE, None, objectives or (score,)
            case Stopped(step, score, metrics, seconds):
                state, values = TrialState.PRUNED, None if several else (score,)
            case Failure(kind, message, seconds):
                state, step, score, metrics, values = TrialState.FAIL, None, None, {}, None
                attributes.append(("failure", f"{kind}: {message}".splitlines()[0]))
        known = (("seconds", seconds), *attributes, *metrics.items())
        return cls(state, _time(event), score, values, step, known)

    def added_to(self, trial: FrozenTrial) -> FrozenTrial:
        """The trial as it ended."""
        trial.state, trial.datetime_complete = self.state, self.when
        trial.user_attrs.update(self.attributes)
        if self.step is not None and self.score is not None:
            trial.intermediate_values[self.step] = self.score
        trial.values = self.values
        return trial


def serve(mirror: Mirror, port: int) -> WSGIServer:
    """The dashboard of a mirror on the loopback interface, ready for `serve_forever`; the mirror
    follows its log."""
    try:
        from optuna_dashboard import wsgi
    except ImportError as problem:
        raise NasError(
            "the dashboard needs optuna-dashboard: pip install 'nas-toolkit[dashboard]'"
        ) from problem
    try:
        server = make_server(HOST, port, wsgi(mirror.storage), _Server, _Quiet)
    except OSError as problem:
        if problem.errno != errno.EADDRINUSE:
            raise NasError(
                f"port {port} cannot be used: {problem.strerror}; choose another with --port"
            ) from problem
        raise NasError(
            f"port {port} is in use: choose another with --port, or 0 for any free one"
        ) from problem
    threading.Thread(target=_follow, args=(mirror, server.closed), daemon=True).start()
    return server


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, *words: Any) -> None:
        self.closed = threading.Event()
        super().__init__(*words)

    def server_close(self) -> None:
        self.closed.set()
        super().server_close()


class _Quiet(WSGIRequestHandler):
    def log_message(self, *words: Any) -> None:
        """A page asks every few seconds; nobody wants to read that."""


def _follow(mirror: Mirror, closed: threading.Event) -> None:
    while not closed.wait(_SECONDS_BETWEEN_LOOKS):
        try:
            mirror.update()
        except NasError:
            return  # the page stays as it was; every other command says what is wrong with the log


def _time(event: Event) -> datetime:
    return datetime.fromtimestamp(event["time"])
