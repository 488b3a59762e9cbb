"""`nas retrain`: several seeds of the best few, ranked on validation; the test split is read once,
for the first."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from torch import nn

from nas.contracts import Json
from nas.errors import counted
from nas.exporting.choosing import Choice
from nas.exporting.export import Exported, export
from nas.exporting.known import usual_formats
from nas.exporting.subject import Subject
from nas.full_size.front_picture import Spot, front_svg
from nas.full_size.judged_once import (
    claim,
    judged_once,
    refuse_other_settings,
    subject_of_training,
)
from nas.full_size.learning_curves import curves_svg
from nas.full_size.outlook import Leg
from nas.full_size.trainings import Job, Setting, Trained, job_of
from nas.seeding import torch_rng
from nas.study.front import dominates
from nas.study.store import write_whole
from nas.training.judging import TOP_5_NEEDS, Judgement
from nas.training.trainer import Metrics
from search_spaces.cells.cost import cost
from search_spaces.cells.network import build_network
from search_spaces.cells.skeleton import Skeleton

SETTINGS_FILE, RESULT_FILE = "retrain.json", "result.json"
Watch = Callable[[Choice, int, int, Metrics], None]  # choice, seed, epoch, metrics


@dataclass(frozen=True, slots=True)
class Entrant:
    """A choice, where it is trained, and what came of it."""

    choice: Choice
    skeleton: Skeleton
    folder: Path
    runs: tuple[Trained, ...] = ()

    @property
    def val_accuracy(self) -> float:
        """Mean over the seeds: what entrants are ranked by."""
        return statistics.fmean(run.val_accuracy for run in self.runs)

    @property
    def best(self) -> Trained:
        """The seed with the best validation accuracy, the first of equals: the one that is
        exported."""
        return max(self.runs, key=lambda run: run.val_accuracy)


@dataclass(frozen=True, slots=True)
class JudgedEntrant:
    """One of a front: what it costs, what the test split says of it, and whether another one is
    better there at no more cost."""

    entrant: Entrant
    macs: int
    params: int
    tests: tuple[Judgement, ...]
    on_front: bool
    exported: Exported | None = None

    @property
    def test_top_1(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(test.top_1 for test in self.tests)

    def to_dict(self) -> dict[str, Json]:
        """As JSON."""
        return {
            "key": self.entrant.choice.genotype.key,
            "title": self.entrant.choice.title,
            "objectives": self.entrant.choice.origin.get("objectives"),
            "macs": self.macs,
            "params": self.params,
            "tests": [asdict(test) for test in self.tests],
            **spread("test_top_1", [test.top_1 for test in self.tests]),
            "on_front": self.on_front,
            "export": None if self.exported is None else str(self.exported.folder),
        }


@dataclass(frozen=True, slots=True)
class Retrained:
    """The ranking, and what the test split says of the first; of a front, of each."""

    entrants: tuple[Entrant, ...]
    tests: tuple[Judgement, ...]
    exported: Exported | None
    front: tuple[JudgedEntrant, ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """As JSON."""
        tests = [asdict(test) for test in self.tests]
        return {
            "ranking": [
                {
                    "key": entrant.choice.genotype.key,
                    "title": entrant.choice.title,
                    "folder": str(entrant.folder),
                    "validation": [run.val_accuracy for run in entrant.runs],
                    **spread("validation", [run.val_accuracy for run in entrant.runs]),
                }
                for entrant in self.entrants
            ],
            "test": tests,
            **spread("test_top_1", [test.top_1 for test in self.tests]),
            "export": None if self.exported is None else str(self.exported.folder),
            **({"front": [row.to_dict() for row in self.front]} if self.front else {}),
        }


def spread(name: str, values: Sequence[float]) -> dict[str, float | None]:
    """Mean and sample deviation; of one value there is no deviation."""
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {f"{name}_mean": statistics.fmean(values), f"{name}_sd": deviation}


def retrain(
    entrants: Sequence[tuple[Choice, Skeleton]],
    setting: Setting,
    folder: Path,
    *,
    seeds: Sequence[int],
    watch: Watch,
    formats: Sequence[str] | None = None,
    front: bool = False,
) -> Retrained:
    """Train, rank, read the test split for the first, export it; all of it resumes where it was
    killed.

    Args:
        formats: of the export; None is all that can be written here, none is no export.
        front: read the test split for each, and draw what each reaches for its cost.
    """
    claim(folder, SETTINGS_FILE, _identity(entrants, setting))
    jobs = [
        _job(choice, skeleton, own, folder, seed, watch)
        for choice, skeleton in entrants
        for own in [setting.of(choice.genotype, skeleton)]
        for seed in seeds
    ]
    trainings = setting.place.trainings(jobs)
    ranking = sorted(
        (
            _entrant(choice, skeleton, setting, folder, islice(trainings, len(seeds)))
            for choice, skeleton in entrants
        ),
        key=lambda entrant: -entrant.val_accuracy,
    )
    formats = usual_formats() if formats is None else formats
    if front:
        return _front(ranking, setting, folder, formats)
    first = ranking[0]
    tests = _tests([first], setting, folder)
    _write(
        folder, Retrained(tuple(ranking), tests, None)
    )  # before anything else can fail: it is read once
    exported = _exported(first, setting, tests, folder / "best", formats) if formats else None
    result = Retrained(tuple(ranking), tests, exported)
    _write(folder, result)
    return result


def legs(
    entrants: Sequence[tuple[Choice, Skeleton]],
    setting: Setting,
    folder: Path,
    seeds: Sequence[int],
) -> list[Leg]:
    """What `retrain` will train; a folder of other settings is refused before anything is timed."""
    refuse_other_settings(folder, SETTINGS_FILE, _identity(entrants, setting))
    return [
        Leg(
            name=choice.title,
            cost=cost(choice.genotype, skeleton),
            make=partial(build_network, choice.genotype, skeleton, torch_rng(0, "outlook")),
            setting=setting.of(choice.genotype, skeleton),
            folders=[_place(folder, choice, seed) for seed in seeds],
        )
        for choice, skeleton in entrants
    ]


def _write(folder: Path, result: Retrained) -> None:
    judged = result.entrants if result.front else result.entrants[:1]
    record = {**result.to_dict(), "tested": _tested(judged)}
    write_whole(folder / RESULT_FILE, json.dumps(record, indent=2) + "\n")


def _identity(entrants: Sequence[tuple[Choice, Skeleton]], setting: Setting) -> dict[str, Json]:
    """What may not change between two starts; more seeds and other machines may join."""
    drawn = [
        {"genotype": choice.genotype.to_dict(), "skeleton": asdict(skeleton)}
        for choice, skeleton in entrants
    ]
    identity: dict[str, Json] = json.loads(json.dumps({**setting.facts(), "entrants": drawn}))
    return identity


def _job(
    choice: Choice, skeleton: Skeleton, setting: Setting, folder: Path, seed: int, watch: Watch
) -> Job:
    def heard(epoch: int, metrics: Metrics) -> None:
        watch(choice, seed, epoch, metrics)

    return job_of(choice.genotype, skeleton, setting, seed, _place(folder, choice, seed), heard)


def _own(folder: Path, choice: Choice) -> Path:
    return folder / choice.genotype.key[:12]


def _place(folder: Path, choice: Choice, seed: int) -> Path:
    return _own(folder, choice) / f"seed-{seed}"


def _entrant(
    choice: Choice, skeleton: Skeleton, setting: Setting, folder: Path, trainings: Iterator[Trained]
) -> Entrant:
    """A choice with its trainings, which run now."""
    runs, own = tuple(trainings), _own(folder, choice)
    curves = {run.seed: run.curve for run in runs}
    write_whole(own / "curves.svg", curves_svg(f"{choice.title} on {setting.dataset.name}", curves))
    return Entrant(choice, skeleton, own, runs)


def _tested(entrants: Sequence[Entrant]) -> str:
    """Which weights the test split was read for."""
    digest = hashlib.sha256()
    for entrant in entrants:
        digest.update(entrant.choice.genotype.key.encode())
        for run in entrant.runs:
            digest.update(f"{run.seed} {run.val_accuracy!r}".encode())
    return digest.hexdigest()[:16]


def _tests(
    entrants: Sequence[Entrant], setting: Setting, folder: Path, *, front: bool = False
) -> tuple[Judgement, ...]:
    """What the test split says of these, one after another, seed by seed."""
    return judged_once(
        folder / RESULT_FILE,
        belongs=lambda record: record.get("tested") == _tested(entrants),
        tests=lambda record: (
            [test for row in record["front"] for test in row["tests"]] if front else record["test"]
        ),
        networks=[partial(_network, each, run, setting) for each in entrants for run in each.runs],
        sizes=[each.skeleton.image_size for each in entrants for _ in each.runs],
        setting=setting,
    )


# ------------------------------------------------------------------ all on a front


def _front(
    ranking: Sequence[Entrant], setting: Setting, folder: Path, formats: Sequence[str]
) -> Retrained:
    """Read the test split once for each, draw it, export each."""
    tests = iter(_tests(ranking, setting, folder, front=True))
    rows = _undominated(
        [_judged(entrant, tuple(islice(tests, len(entrant.runs)))) for entrant in ranking]
    )
    _write(folder, Retrained(tuple(ranking), rows[0].tests, None, rows))
    spots = [_spot(row) for row in rows]
    title = f"Test accuracy of a front on {setting.dataset.name}"
    write_whole(folder / "front.svg", front_svg(title, spots))

    if formats:
        rows = tuple(
            replace(
                row,
                exported=_exported(
                    row.entrant, setting, row.tests, row.entrant.folder / "best", formats
                ),
            )
            for row in rows
        )
    result = Retrained(tuple(ranking), rows[0].tests, rows[0].exported, rows)
    _write(folder, result)
    return result


def _judged(entrant: Entrant, tests: tuple[Judgement, ...]) -> JudgedEntrant:
    spent = cost(entrant.choice.genotype, entrant.skeleton)
    return JudgedEntrant(entrant, spent.macs, spent.params, tests, on_front=True)


def _undominated(rows: Sequence[JudgedEntrant]) -> tuple[JudgedEntrant, ...]:
    points = [(row.test_top_1, -float(row.macs)) for row in rows]
    return tuple(
        replace(row, on_front=not any(dominates(other, point) for other in points))
        for row, point in zip(rows, points, strict=True)
    )


def _spot(row: JudgedEntrant) -> Spot:
    shares = [test.top_1 for test in row.tests]
    deviation = statistics.stdev(shares) if len(shares) > 1 else 0.0
    return Spot(row.entrant.choice.title, row.macs, row.test_top_1, deviation, row.on_front)


def _network(first: Entrant, run: Trained, setting: Setting) -> nn.Module:
    return _subject(first, run, setting).network


def _subject(first: Entrant, run: Trained, setting: Setting) -> Subject:
    return subject_of_training(first.choice, first.skeleton, run, setting)


def _exported(
    first: Entrant,
    setting: Setting,
    tests: Sequence[Judgement],
    folder: Path,
    formats: Sequence[str],
) -> Exported:
    subject = _subject(first, first.best, setting)
    test = tests[[run.seed for run in first.runs].index(first.best.seed)]
    accuracy = {
        "validation": first.best.val_accuracy,
        "test": test.top_1,
        **({"test, top 5": test.top_5} if setting.dataset.classes >= TOP_5_NEEDS else {}),
        f"test, mean of {counted(len(tests), 'seed')}": statistics.fmean(
            each.top_1 for each in tests
        ),
    }
    return export(
        replace(subject, trained={**_plain(subject.trained), "accuracy": accuracy}), folder, formats
    )


def _plain(trained: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in trained.items() if name not in ("curve",)}
