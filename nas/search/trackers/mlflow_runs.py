"""MLflow: a run a study with a run below it for each trial; its own store is asked what it has."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

from nas.errors import shortened
from nas.search.tracking.runs import (
    Conclusion,
    Point,
    Run,
    Seen,
    Tracker,
    Unreachable,
    Whole,
    drawing_of,
    lacking,
)

_IDENTITY, _NAME, _MARK, _PARENT = "nas.study", "nas.run", "nas.ended", "mlflow.parentRunId"
_METRICS, _PARAMETERS = 1000, 100  # of one message
_QUIET = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # of minutes of silence, a sentence
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


@final
class MLflow(Tracker):
    """Runs of MLflow, those of the trials below that of their study.

    Args:
        uri: `sqlite:///mlflow.db` or `http://HOST:PORT`; none is what MLflow itself is told
            (MLFLOW_TRACKING_URI).
        experiment: its name there; it is made where it is missing.
    """

    def __init__(self, *, uri: str | None = None, experiment: str = "nas") -> None:
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        with _reached("MLflow"):
            try:
                from mlflow.tracking import MlflowClient
            except ImportError as problem:
                raise lacking("mlflow-skinny", "mlflow") from problem
            self._client: Any = MlflowClient(uri)
        self._uri = uri or self._client.tracking_uri
        self._name = experiment
        self._experiment = self._run = ""

    def open(self, whole: Whole) -> Seen:
        """Find the study's run by its mark; runs that were cut short are removed, to be shown
        anew."""
        with _reached(self._uri):
            self._experiment = self._found_experiment()
            found = list(self._runs_with(f"tags.`{_IDENTITY}` = '{whole.identity}'"))
            whole_runs = [run for run in found if _NAME not in run.data.tags]
            if not whole_runs:
                self._run = self._begun(whole)
                return Seen()
            self._run = whole_runs[0].info.run_id
            self._whole = whole
            for run in found:
                if _NAME in run.data.tags and run.info.status == "RUNNING":
                    self._client.delete_run(run.info.run_id)
            return Seen(
                frozenset(
                    run.data.tags[_NAME]
                    for run in found
                    if _NAME in run.data.tags and run.info.status != "RUNNING"
                ),
                {name: self._last_step(name) for name in whole_runs[0].data.metrics},
                whole_runs[0].data.tags.get(_MARK),
            )

    def add(self, run: Run) -> None:
        """A run below that of the study; it counts once it is ended."""
        tags = {
            _IDENTITY: self._whole.identity,
            _NAME: run.name,
            _PARENT: self._run,
            **{f"nas.{name}": text for name, text in run.labels.items()},
        }
        with _reached(self._uri):
            made = self._client.create_run(
                self._experiment, start_time=_ms(run.began), tags=tags, run_name=run.name
            ).info.run_id
            last = [Point(name, 0, value, run.ended) for name, value in run.metrics.items()]
            curves = {point.name for point in run.points}
            self._log(made, [*run.points, *(point for point in last if point.name not in curves)])
            self._log_parameters(made, run.parameters)
            drawing = drawing_of(run.genotype)
            if drawing is not None:
                self._client.log_text(made, drawing, "cells.svg")
            if run.genotype is not None:
                self._client.log_text(made, run.genotype.to_json(), "genotype.json")
            self._client.set_terminated(made, _STATUS[run.state], end_time=_ms(run.ended))

    def extend(self, points: Sequence[Point]) -> None:
        """More of the study's own metrics."""
        with _reached(self._uri):
            self._log(self._run, points)

    def end(self, ending: Conclusion) -> None:
        """Metrics of the whole, and the winner's files as artifacts in `best/`."""
        last = [Point(name, 0, value, ending.ended) for name, value in ending.metrics.items()]
        with _reached(self._uri):
            self._log(self._run, last)
            for file in ending.files:
                self._client.log_artifact(self._run, str(file), "best")
            self._client.set_tag(self._run, _MARK, ending.mark)
            self._client.set_terminated(self._run, "FINISHED", end_time=_ms(ending.ended))

    def where(self) -> str:
        """The page of a server, or the command that starts one."""
        if not str(self._uri).startswith("http"):
            return f"mlflow ui --backend-store-uri {self._uri}"
        return f"{self._uri}/#/experiments/{self._experiment}/runs/{self._run}"

    def _found_experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._name)
        return str(found.experiment_id if found else self._client.create_experiment(self._name))

    def _begun(self, whole: Whole) -> str:
        self._whole = whole
        tags = {_IDENTITY: whole.identity, "mlflow.note.content": str(whole.folder)}
        made = self._client.create_run(
            self._experiment, start_time=_ms(whole.began), tags=tags, run_name=whole.title
        )
        run: str = made.info.run_id
        self._log_parameters(run, whole.parameters)
        return run

    def _runs_with(self, condition: str) -> Iterator[Any]:
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment], condition, max_results=1000, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def _last_step(self, name: str) -> int:
        return max(int(one.step) for one in self._client.get_metric_history(self._run, name))

    def _log(self, run: str, points: Sequence[Point]) -> None:
        from mlflow.entities import Metric

        for start in range(0, len(points), _METRICS):
            self._client.log_batch(
                run,
                metrics=[
                    Metric(_allowed(point.name), point.value, _ms(point.time), point.step)
                    for point in points[start : start + _METRICS]
                ],
            )

    def _log_parameters(self, run: str, parameters: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        allowed = {_allowed(name): str(value) for name, value in parameters.items()}
        known = [Param(name, value) for name, value in allowed.items()]
        for start in range(0, len(known), _PARAMETERS):
            self._client.log_batch(run, params=known[start : start + _PARAMETERS])


def _allowed(name: str) -> str:
    """A name as MLflow takes it: `edge 0_1` for `edge 0>1`."""
    return re.sub(r"[^\w\-. :/]", "_", name)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


@contextmanager
def _reached(uri: str) -> Iterator[None]:
    """Whatever goes wrong there is told in a sentence; warnings are about MLflow's own insides."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        troubles: tuple[type[Exception], ...] = (OSError, *_troubles())
        try:
            yield
        except troubles as problem:
            text = shortened(str(problem).partition("\n")[0], 200)
            raise Unreachable(f"{uri} does not answer as MLflow does ({text})") from problem


def _troubles() -> tuple[type[Exception], ...]:
    try:
        from mlflow.exceptions import MlflowException
    except ImportError:
        return ()
    return (MlflowException,)
