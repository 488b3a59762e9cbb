"""Trainings at full size as runs: what a retraining or a transfer has left in its folder by now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, final

from safetensors import SafetensorError, safe_open

from nas.errors import NasError
from nas.full_size.judged_once import read_object
from nas.full_size.retrain import RESULT_FILE, SETTINGS_FILE
from nas.full_size.trainings import WEIGHTS
from nas.search.tracking.of_study import flat, numbers
from nas.search.tracking.runs import Conclusion, Followed, Point, Run, Whole
from search_spaces.cells.genotype import Genotype

_BEGUN = (SETTINGS_FILE, "transfer.json")
_OF_ALL = ("dataset", "data", "recipe", "precision", "mode")


def training_sources(folder: Path) -> list[Followed]:
    """The retraining or the transfer in this folder."""
    return [TrainingsSource(folder)] if _settings_file(folder) else []


@final
class TrainingsSource(Followed):
    """A run for each training that has ended: of a genotype, or an arm, with a seed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._told: set[Path] = set()
        self._best = float("-inf")

    def whole(self) -> Whole | None:
        """What was begun in the folder."""
        file = _settings_file(self.folder)
        content = None if file is None else read_object(file)
        if file is None or content is None:
            return None
        mark = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
        parameters = flat({name: content.get(name) for name in _OF_ALL})
        title = self.folder.resolve().name
        return Whole(mark, title, parameters, file.stat().st_mtime, self.folder)

    def news(self) -> Iterator[Run | Point]:
        """Trainings that have ended since the last call, the oldest first."""
        files = {*self.folder.glob(f"*/*/{WEIGHTS}")} - self._told
        for file in sorted(files, key=lambda path: (path.stat().st_mtime, path)):
            self._told.add(file)
            facts = _facts(file)
            if facts is not None:
                yield self._run(file, facts)

    def ending(self) -> Conclusion | None:
        """What the test split said, once it was read."""
        result = read_object(self.folder / RESULT_FILE)
        if result is None:
            return None
        files = tuple(sorted(path for path in (self.folder / "best").glob("*") if path.is_file()))
        ended = (self.folder / RESULT_FILE).stat().st_mtime
        present = "+".join(file.name for file in files)
        digest = hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()[:16]
        return Conclusion(f"{digest} {present}", _tested(result), ended, files)

    def _run(self, file: Path, facts: Mapping[str, Any]) -> Run:
        curve, ended = facts["curve"], file.stat().st_mtime
        seconds = [float(epoch.get("seconds", 0.0)) for epoch in curve]
        accuracy = float(curve[-1]["val_accuracy"])
        stands_out, self._best = accuracy > self._best, max(self._best, accuracy)
        points = [
            Point(name, step, value, ended - sum(seconds[step:]))
            for step, epoch in enumerate(curve, start=1)
            for name, value in numbers(epoch).items()
        ]
        return Run(
            name="-".join(file.relative_to(self.folder).parts[:-1]),
            parameters={
                "seed": str(facts["seed"]),
                **flat({name: facts.get(name) for name in ("recipe", "skeleton")}),
            },
            state="finished",
            began=ended - sum(seconds),
            ended=ended,
            points=tuple(points),
            metrics=numbers(curve[-1]),
            genotype=_genotype(facts),
            stands_out=stands_out,
        )


def _settings_file(folder: Path) -> Path | None:
    return next((folder / name for name in _BEGUN if (folder / name).is_file()), None)


def _facts(file: Path) -> dict[str, Any] | None:
    """What a file of weights says of its training; None where it says nothing of one."""
    try:
        with safe_open(file, framework="pt") as stored:
            facts = json.loads((stored.metadata() or {}).get("facts", ""))
    except (OSError, ValueError, SafetensorError):
        return None
    is_whole = isinstance(facts, dict) and facts.get("curve") and "seed" in facts
    return facts if is_whole else None


def _genotype(facts: Mapping[str, Any]) -> Genotype | None:
    with suppress(NasError):
        return Genotype.from_dict(facts.get("genotype"))
    return None


def _tested(result: Mapping[str, Any]) -> dict[str, float]:
    """Top-1 of the test split: of the first of a retraining, or of each arm of a transfer."""
    tests = result.get("test", [])
    by_name = tests.items() if isinstance(tests, dict) else [("", tests)]
    found = {}
    for name, judgements in by_name:
        shares = [float(each["top_1"]) for each in judgements]
        if shares:
            label = f"test_top_1.{name}" if name else "test_top_1"
            found[label] = sum(shares) / len(shares)
    return found
