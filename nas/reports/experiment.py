"""Which studies belong together: the arms of a comparison, or those that several folders amount
to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from nas.errors import StudyError
from nas.reports.frame import Frame, RecordedPart, Task, read_frame
from nas.search.comparing.arms import baseline_of
from nas.search.comparing.plan import read_comparison
from nas.search.confirmed import confirmation_begun, confirmations_in
from nas.search.old_options import renewed
from nas.search.plan import differences
from nas.study.places import is_comparison
from nas.study.store import CONFIRM

_TASK = ("space", "evaluator", "rules", "limits", "start_from", "screen", "fidelity")
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Request:
    """One time a comparison was asked for."""

    arms: Sequence[str]
    seeds: int
    budget: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Planned:
    """What compare.json says of a comparison beside its studies."""

    arms: Sequence[str]
    seeds: Sequence[int]
    margin: float | None
    pilot: int
    confirm: Mapping[str, Any] | None
    requests: Sequence[Request]
    first_alone: Sequence[str]  # arms that heard the first of several objectives alone

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The plan in this folder; None where there is none."""
        found = read_comparison(folder)
        if found is None:
            return None
        plain = {name: found[name] for name in ("seeds", "margin", "pilot", "confirm")}
        requests = [Request(**request) for request in found["requests"]]
        first_alone = found.get("first_alone", [])
        return cls(arms=list(found["arms"]), requests=requests, first_alone=first_alone, **plain)


@dataclass(frozen=True, slots=True)
class Arm:
    """One strategy with its options: its studies by seed, and the confirmations of their best
    trials."""

    label: str
    strategy: str
    options: Mapping[str, Any]
    studies: Mapping[int, Frame]
    confirmations: Mapping[int, Frame]
    outdated: float = 0.0  # seconds of confirmations that do not count, as those before more trials

    @property
    def confirm_seconds(self) -> float:
        """What judging the best again cost, all of it."""
        return self.outdated + sum(again.total_cost for again in self.confirmations.values())

    @property
    def finished(self) -> dict[int, Frame]:
        """The studies that have ended, and whose best trials were confirmed where that was asked
        for."""
        whole = {seed: study for seed, study in self.studies.items() if study.finished is not None}
        if not self.confirmations:
            return whole
        return {
            seed: study
            for seed, study in whole.items()
            if seed in self.confirmations and self.confirmations[seed].finished is not None
        }


@dataclass(frozen=True, slots=True)
class Experiment:
    """Arms that did the same work, and the plan they were made by, if there was one."""

    folders: Sequence[Path]
    arms: Sequence[Arm]
    baseline: str | None
    plan: Planned | None
    comparison: Path | None = None  # where the plan lies

    @property
    def frames(self) -> Iterator[Frame]:
        """All studies."""
        return (study for arm in self.arms for study in arm.studies.values())

    @property
    def task(self) -> Task:
        """What all studies do alike."""
        return next(self.frames).settings.task

    @property
    def judge(self) -> RecordedPart:
        """Who judged what arms are compared by: whoever confirmed winners, else who searched."""
        again = (frame for arm in self.arms for frame in arm.confirmations.values())
        return next(again, next(self.frames)).settings.task.evaluator

    @property
    def two_judges(self) -> bool:
        """Whether winners were confirmed by another judge than the one that searched: scores of the
        two are not to be compared."""
        return _but_columns(self.judge) != _but_columns(self.task.evaluator)


def _but_columns(judge: RecordedPart) -> dict[str, Any]:
    """Other columns of the same table are the same judge."""
    options = {name: judge.options[name] for name in judge.options.keys() - {"score", "cost"}}
    return {"name": judge.name, **options}


def read_experiment(folders: Sequence[Path]) -> Experiment:
    """Read all studies in these folders; they must be of one task."""
    found = [place for folder in folders for place in _places(folder)]
    if not found:
        raise StudyError(
            f"there is no study in {folders[0]}: a study is a folder with study.json in it"
        )
    comparison = _comparison_of(folders, found)
    plan = None if comparison is None else Planned.read(comparison)
    frames = [(place, read_frame(place)) for place in found]
    _refuse_mixed([frame for _, frame in frames])
    labels = _labels(frames, comparison)
    arms = [_arm(label, frames, labels) for label in _in_order(labels, plan)]
    baseline = baseline_of((arm.label, arm.strategy) for arm in arms)
    return Experiment(folders, arms, baseline, plan, comparison)


def _comparison_of(folders: Sequence[Path], places: Sequence[Path]) -> Path | None:
    """The comparison that is reported on, or that all of several studies belong to; None where
    there is none."""
    if len(folders) == 1 and is_comparison(folders[0]):
        return folders[0]
    if len(places) == 1:
        return None
    above = {place.resolve().parents[1] for place in places if len(place.resolve().parents) > 1}
    only = above.pop() if len(above) == 1 else None
    return only if only is not None and is_comparison(only) else None


def _places(folder: Path) -> Iterator[Path]:
    """Every study at or below this folder; confirmations belong to their study."""
    if not folder.is_dir():
        raise StudyError(f"there is no folder {str(folder)!r}: name a study or a comparison")
    if (folder / "study.json").exists():
        yield folder
        return
    for depth in range(1, _DEEPEST + 1):
        for path in sorted(folder.glob("*/" * depth + "study.json")):
            if not (path.parent.parent / "study.json").exists():
                yield path.parent


def _refuse_mixed(frames: Sequence[Frame]) -> None:
    first = _work(frames[0])
    for frame in frames[1:]:
        lines = differences(first, _work(frame))
        if lines:
            here, wanted = lines[0].replace(" asked for", "").split(" there, ", 1)
            raise StudyError(
                f"{frames[0].folder} and {frame.folder} did different work ({here} and {wanted}), "
                "so no comparison of "
                "them would be fair: report them apart"
            )


def _work(frame: Frame) -> dict[str, Any]:
    """All that must be alike, as it was written down."""
    counted = ("repeats",) if "trials" in frame.budget else ()
    recorded = frame.settings.recorded
    work = {name: recorded.get(name) for name in (*_TASK, *counted)}
    work |= {name: recorded.get(name) for name in ("learn_from", "learnt")}
    several = {name: recorded[name] for name in ("objectives", "scales") if name in recorded}
    return {**work, **several, "evaluator": renewed("evaluator", recorded["evaluator"])}


def _labels(frames: Sequence[tuple[Path, Frame]], comparison: Path | None) -> dict[Path, str]:
    """A name for the arm of every study: its folder in a comparison, else its strategy, with
    options where needed."""
    if comparison is not None:
        return {place: place.resolve().parent.name for place, _ in frames}
    variants: dict[str, list[str]] = {}
    for _, frame in frames:
        seen = variants.setdefault(frame.strategy, [])
        if _options(frame) not in seen:
            seen.append(_options(frame))
    labels = {}
    for place, frame in frames:
        seen = variants[frame.strategy]
        position = seen.index(_options(frame))
        labels[place] = frame.strategy + (f" #{position + 1}" if len(seen) > 1 else "")
    return labels


def _options(frame: Frame) -> str:
    return json.dumps(frame.settings.strategy.options, sort_keys=True)


def _in_order(labels: Mapping[Path, str], plan: Planned | None) -> list[str]:
    """The order in which arms were asked for, else the alphabet."""
    there = set(labels.values())
    asked = [label for label in (plan.arms if plan else ()) if label in there]
    return asked + sorted(there.difference(asked))


def _arm(label: str, frames: Sequence[tuple[Path, Frame]], labels: Mapping[Path, str]) -> Arm:
    studies: dict[int, Frame] = {}
    for place, frame in frames:
        if labels[place] != label:
            continue
        if frame.seed in studies:
            raise StudyError(
                f"{label} has seed {frame.seed} twice ({studies[frame.seed].folder} and {place}): "
                "a seed counts once, "
                "leave one of them out"
            )
        studies[frame.seed] = frame
    studies = dict(sorted(studies.items()))
    confirmations = {
        seed: again
        for seed, frame in studies.items()
        if (again := _confirmation(frame)) is not None
    }
    strategy = next(iter(studies.values())).settings.strategy
    counted = {again.folder for again in confirmations.values()}
    every = (path for frame in studies.values() for path in confirmations_in(frame.folder))
    outdated = sum(read_frame(path).total_cost for path in every if path not in counted)
    return Arm(label, strategy.name, strategy.options, studies, confirmations, outdated)


def _confirmation(frame: Frame) -> Frame | None:
    """Where the best of a study were judged again, in a comparison also while that goes on; by a
    judge of another kind it is none, for the two are not to be compared."""
    begun = confirmation_begun(frame.folder)
    if begun is not None and (frame.folder / CONFIRM / "study.json").exists():
        return read_frame(begun)
    again = None if begun is None else read_frame(begun)
    if again is None or again.settings.task.evaluator.name != frame.settings.task.evaluator.name:
        return None
    return again if again.finished and again.winner else None
