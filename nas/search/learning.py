"""What older studies judged, for a study that begins: read once, kept beside its log until the log
holds it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from nas.errors import NasError, StudyError, counted
from nas.search.old_options import renewed, still_measured
from nas.search.plan import Plan, differences, read_study_json
from nas.search.reading import events_of, is_running
from nas.study.events import ENDS, complaint_about
from nas.study.front import Front
from nas.study.older_judgements import OlderJudgement
from nas.study.store import LEARNT, LEARNT_FILES, checkpoint_of, write_whole
from search_spaces.cells.genotype import Genotype

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was found in older studies.

    Args:
        judgements: each genotype once, as it was judged first.
        left_out: genotypes that this study may not use, as they lie beyond its limits.
        kept: where the files lie that the best of them kept, by their place among the judgements.
    """

    judgements: Sequence[OlderJudgement]
    left_out: int
    kept: Mapping[int, Path] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        """What `study.json` says of it; equal for equal judgements only."""
        told = json.dumps([judgement.to_dict() for judgement in self.judgements], sort_keys=True)
        digest = hashlib.sha256(told.encode()).hexdigest()
        return {"evaluations": len(self.judgements), "left_out": self.left_out, "sha256": digest}


def learnt_for(plan: Plan, objection: Callable[[Genotype], str | None] | None) -> Learnt:
    """What the studies that a plan names have judged, in their order; a study that judges in
    another way is refused.

    Nothing that their files name is imported: words are compared with words.

    Args:
        objection: why a genotype may not be a trial of the study that begins.
    """
    found: dict[str, OlderJudgement] = {}
    kept: dict[str, Path] = {}
    beyond: set[str] = set()
    for name in plan.learn_from:
        folder = Path(name)
        _refuse_other_judgements(folder, plan)
        for number, judgement in _judged(folder):
            if judgement.key in found or judgement.key in beyond:
                continue
            if objection is not None and objection(judgement.genotype) is not None:
                beyond.add(judgement.key)
                continue
            found[judgement.key] = judgement
            if (files := checkpoint_of(folder, number)).is_dir():
                kept[judgement.key] = files
    places = {place: kept[key] for place, key in enumerate(found) if key in kept}
    return Learnt(list(found.values()), len(beyond), places)


def write_learnt(folder: Path, learnt: Learnt, keep: int) -> None:
    """Keep it in a study's folder, whole or not at all, until the log holds it.

    Args:
        keep: the files of how many of the best stay, besides those of a front.
    """
    content = {
        "format": FORMAT,
        "left_out": learnt.left_out,
        "judgements": [judgement.to_dict() for judgement in learnt.judgements],
    }
    write_whole(folder / LEARNT, json.dumps(content) + "\n")
    staged = folder / LEARNT_FILES
    shutil.rmtree(staged, ignore_errors=True)
    for place in _best_of(learnt.judgements, keep) & learnt.kept.keys():
        try:
            shutil.copytree(learnt.kept[place], staged / str(place))
        except OSError as problem:
            raise StudyError(
                f"{learnt.kept[place]} cannot be copied to {staged}: {problem}; make room, or "
                "leave --learn-from out"
            ) from problem


def read_learnt(folder: Path) -> Learnt | None:
    """What is kept there; None where nothing is."""
    path = folder / LEARNT
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r}")
        return Learnt([_read(each) for each in content["judgements"]], int(content["left_out"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, NasError) as problem:
        raise StudyError(
            f"{path} is not what a study has learnt from older ones ({problem}): restore it from a "
            "copy, or begin another study with --out"
        ) from problem


def let_go(folder: Path, best: Collection[int]) -> None:
    """Drop what was kept until the log held it; files of the best become files of the study."""
    staged = folder / LEARNT_FILES
    for number in best:
        # What was learnt has the first numbers, in its order.
        if (staged / str(number)).is_dir() and not checkpoint_of(folder, number).exists():
            checkpoint_of(folder, number).parent.mkdir(exist_ok=True)
            (staged / str(number)).rename(checkpoint_of(folder, number))
    if (folder / LEARNT).exists():
        shutil.rmtree(staged, ignore_errors=True)
        (folder / LEARNT).unlink()


def learnt_told(plan: Plan, count: int) -> str:
    """One sentence about what a study began with."""
    return (
        f"{counted(count, 'evaluation')} of {', '.join(plan.learn_from)} "
        f"{'is' if count == 1 else 'are'} known from the start, at no cost"
    )


def _refuse_other_judgements(folder: Path, plan: Plan) -> None:
    """Scores may be taken over only where this study would have come by them in the same way."""
    older = read_study_json(folder)
    if is_running(folder):
        raise StudyError(
            f"--learn-from {folder}: a process is at work on that study just now; wait for it, or "
            "stop it"
        )
    ours, theirs = _way_of(plan.identity(), plan.measured), _way_of(older, older["measured"])
    theirs["data"] = still_measured(theirs["data"], ours["data"])
    lines = [
        line for name in ours for line in differences({name: theirs[name]}, {name: ours[name]})
    ]
    lines.sort(key=lambda line: ".name: " not in line)  # what most of the others follow from
    if lines:
        more = f"; and {counted(len(lines) - 3, 'other difference')}" if len(lines) > 3 else ""
        raise StudyError(
            f"--learn-from {folder}: that study was judged otherwise ({'; '.join(lines[:3])}"
            f"{more}), so its scores are none of this one: leave it out, or give these settings"
        )


def _way_of(record: Mapping[str, Any], measured: Mapping[str, Any]) -> dict[str, Any]:
    """All that decides what a genotype scores: space, recipe, skeleton, data, seeds a trial, and
    what is raised."""
    rules = record.get("rules", {})
    objectives = record.get("objectives") or {}
    return {
        "space": record["space"],
        "evaluator": renewed("evaluator", record["evaluator"]),
        "evaluations_per_trial": rules.get("evaluations_per_trial", 1),
        "objectives": objectives.get("formulas"),
        "data": dict(measured),
    }


def _judged(folder: Path) -> Iterator[tuple[int, OlderJudgement]]:
    """The full evaluations of a study by their numbers, in the order in which they were told."""
    asked: dict[int, Mapping[str, Any]] = {}
    for _, event in events_of(folder):
        if event["event"] == "asked":
            asked[event["number"]] = event
        elif event["event"] in ENDS:
            question = asked.pop(event["number"], None)
            if event["event"] == "told" and "reused" not in event and question is not None:
                yield event["number"], _judgement(folder, question, event)


def _judgement(folder: Path, asked: Mapping[str, Any], told: Mapping[str, Any]) -> OlderJudgement:
    genotype = Genotype.from_dict(asked["genotype"])
    before = asked.get("learnt") or {}
    return OlderJudgement(
        key=genotype.key,
        genotype=genotype,
        seed=asked["seed"],
        score=told["score"],
        objectives=tuple(told.get("objectives", ())),
        metrics=told["metrics"],
        study=str(before.get("study", folder)),
        trial=before.get("trial", asked["number"]),
        seconds=before.get("seconds", told["seconds"]),
    )


def _read(found: Mapping[str, Any]) -> OlderJudgement:
    """A judgement that a file of ours holds; its lines must be lines of a log."""
    judgement = OlderJudgement.read(found)
    for event in judgement.events(0)[:2]:
        if complaint := complaint_about(event):
            raise StudyError(f"a line {complaint}")
    return judgement


def _best_of(judgements: Sequence[OlderJudgement], keep: int) -> set[int]:
    """The places of those whose files a study would keep."""
    order = sorted(range(len(judgements)), key=lambda place: -judgements[place].score)
    front: Front[int] = Front()
    for place, judgement in enumerate(judgements):
        if judgement.objectives:
            front.offer(judgement.objectives, place)
    return {*order[:keep], *(place for _, place in front.members)}
