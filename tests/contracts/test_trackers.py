"""What every tracker promises, over whatever trackers there are, against the real packages: what
was told is there, under its own run, and nothing is there twice."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nas.registry import load, names
from nas.search.tracking.runs import Conclusion, Point, Run, Tracker, Whole
from search_spaces.zoo import load as published

WHOLE = Whole("1a2b-3c", "my study", {"space.name": "nasnet", "seed": "7"}, 1000.0, Path())
RUN = Run(
    name="trial-3",
    parameters={"seed": "12", "normal.2.op_a": "sep_3x3", "recipe.epochs": 2, "0>1": "none"},
    state="finished",
    began=1001.0,
    ended=1009.0,
    points=(Point("val_accuracy", 1, 0.5, 1004.0), Point("val_accuracy", 2, 0.75, 1008.0)),
    metrics={"score": 0.75, "seconds": 8.0},
    labels={"key": "abc"},
    genotype=published("enas").genotype,
    stands_out=True,
)
POINTS = [Point("best_score", 1, 0.75, 1009.0), Point("best_score", 2, 0.75, 1012.0)]
CONTROLLER = [Point("controller/entropy", 10, 1.5, 1012.0)]
PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}


@dataclass
class Told:
    """What was found in a tracker's own store, read with its own package."""

    parameters: Mapping[str, Any]
    curve: list[tuple[int, float]]
    score: float
    best: list[tuple[int, float]]
    entropy: list[tuple[int, float]]
    drawing: bool
    winner: bool


Store = Callable[[], Tracker]


@pytest.fixture
def winner(tmp_path: Path) -> Path:
    """A file of the winner."""
    file = tmp_path / "README.md"
    file.write_text("# The winner\n")
    return file


@pytest.mark.parametrize("name", names("tracker"))
def test_what_was_told_is_there_once(
    name: str, tmp_path: Path, winner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(PACKAGES[name], reason=f"{name} is not installed")
    fresh = store_of(name, tmp_path, monkeypatch)
    whole = Whole(WHOLE.identity, WHOLE.title, WHOLE.parameters, WHOLE.began, tmp_path)
    end = Conclusion("30 trials", {"winner_score": 0.75, "trials_ended": 30.0}, 1020.0, (winner,))

    first = fresh()
    seen = first.open(whole)
    assert (seen.runs, seen.mark) == (frozenset(), None)
    first.add(RUN)
    first.extend(POINTS[:1])

    second = fresh()  # another process, after the first was killed
    seen = second.open(whole)
    assert seen.runs == {"trial-3"}
    assert seen.steps["best_score"] == 1
    assert seen.mark is None
    second.extend([*POINTS[1:], *CONTROLLER])
    second.end(end)

    third = fresh()
    seen = third.open(whole)
    assert seen.mark == "30 trials"
    assert seen.steps["best_score"] == 2
    assert third.where()

    found = READERS[name](tmp_path)
    assert {**found.parameters, "recipe.epochs": 2} == dict(RUN.parameters)
    assert int(float(found.parameters["recipe.epochs"])) == 2
    assert found.curve == [(1, 0.5), (2, 0.75)]
    assert found.score == 0.75
    assert found.best == [(1, 0.75), (2, 0.75)]
    assert found.entropy == [(10, 1.5)]
    assert found.drawing
    assert found.winner


def store_of(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    part = load("tracker", name)
    if name == "wandb":
        monkeypatch.setenv("WANDB_MODE", "offline")
        monkeypatch.setenv("WANDB_DIR", str(folder))
    monkeypatch.chdir(folder)  # where MLflow puts artifacts
    options = {"mlflow": {"uri": f"sqlite:///{folder}/m.db"}}.get(name, {})
    return lambda: part(**options)


def from_tensorboard(folder: Path) -> Told:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    home = next((folder / "tensorboard").iterdir())
    assert sorted(path.name for path in home.iterdir()) == ["study", "trial-3"]

    def read(name: str) -> Any:
        found = reader.EventAccumulator(str(home / name))
        return found.Reload()

    def series(events: Any, tag: str) -> list[tuple[int, float]]:
        return [(one.step, one.value) for one in events.Scalars(tag)]

    study, trial = read("study"), read("trial-3")
    plugin = trial.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    given = HParamsPluginData.FromString(plugin).session_start_info.hparams
    text = study.Tensors("winner/text_summary")[0].tensor_proto.string_val[0]
    return Told(
        {key: value.string_value or value.number_value for key, value in given.items()},
        series(trial, "val_accuracy"),
        series(trial, "score")[0][1],
        [pair for pair in series(study, "best_score") if pair[0]],
        series(study, "controller/entropy"),
        b"sep" in trial.Tensors("cells/text_summary")[0].tensor_proto.string_val[0]
        and trial.Images("cells")[0].width > 100,
        b"The winner" in text,
    )


def from_mlflow(folder: Path) -> Told:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.tracking import MlflowClient

        client = MlflowClient(f"sqlite:///{folder}/m.db")
        experiment = client.get_experiment_by_name("nas")
        assert experiment is not None
        runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
        assert sorted(runs) == ["my study", "trial-3"]
        study, trial = runs["my study"], runs["trial-3"]
        assert trial.data.tags["mlflow.parentRunId"] == study.info.run_id
        assert (trial.info.start_time, trial.info.end_time) == (1_001_000, 1_009_000)

        def series(run: Any, name: str) -> list[tuple[int, float]]:
            history = client.get_metric_history(run.info.run_id, name)
            return sorted((one.step, one.value) for one in history)

        params = dict(trial.data.params)
        params["0>1"] = params.pop("0_1")  # MLflow takes no such name
        return Told(
            params,
            series(trial, "val_accuracy"),
            trial.data.metrics["score"],
            series(study, "best_score"),
            series(study, "controller/entropy"),
            "cells.svg" in [file.path for file in client.list_artifacts(trial.info.run_id)],
            "best/README.md"
            in [file.path for file in client.list_artifacts(study.info.run_id, "best")],
        )


def from_wandb(folder: Path) -> Told:
    import json

    records: dict[str, list[Any]] = {}
    for file in sorted((folder / "wandb").glob("offline-run-*/run-*.wandb")):
        records.setdefault(file.stem, []).extend(records_of(file))
    started = {
        record.run.display_name: (name, record.run)
        for name, entries in records.items()
        for record in entries
        if record.WhichOneof("record_type") == "run"
    }
    assert sorted(started) == ["my study", "trial-3"]
    assert len({run.run_group for _, run in started.values()}) == 1

    def series(name: str, axis: str, key: str) -> list[tuple[int, float]]:
        rows = []
        for record in records[started[name][0]]:
            if record.WhichOneof("record_type") == "history":
                items = record.history.item
                row = {
                    item.key or ".".join(item.nested_key): json.loads(item.value_json)
                    for item in items
                }
                if key in row:
                    rows.append((row[axis], row[key]))
        return rows

    def is_there(name: str, key: str) -> bool:
        return any(key in str(record) for record in records[started[name][0]])

    config = {
        update.key: json.loads(update.value_json)
        for update in started["trial-3"][1].config.update
        if update.key in RUN.parameters
    }
    return Told(
        config,
        series("trial-3", "_step", "val_accuracy"),
        0.75 if is_there("trial-3", "score") else 0.0,
        series("my study", "trials", "best_score"),
        series("my study", "told", "controller/entropy"),
        is_there("trial-3", "cells"),
        is_there("my study", "README.md"),
    )


def records_of(file: Path) -> Iterator[Any]:
    """What a file of an offline run holds: records in blocks, as LevelDB writes its log."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, block, head, found = file.read_bytes(), 7, 32768, 7, b""
    while place + head <= len(data):
        left = block - place % block
        if left < head:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + head])
        found += data[place + head : place + head + length]
        place += head + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(found)
            found = b""


READERS = {"tensorboard": from_tensorboard, "mlflow": from_mlflow, "wandb": from_wandb}
