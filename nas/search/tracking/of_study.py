"""A study's log as runs: read from where one stopped, so that following costs what is new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, final

from nas.errors import NasError, StoreError, shortened
from nas.search.plan import Plan, read_study_json, recorded_fingerprint
from nas.search.reading import events_of, numbers_of
from nas.search.tracking.runs import Conclusion, Followed, Parameters, Point, Run, Whole
from nas.search.trials import choices_of
from nas.study.events import ENDS
from nas.study.store import Event
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

_OF_ALL = ("space", "strategy", "evaluator", "rules", "limits", "measured", "versions")
_LONGEST = 500  # of the text of a parameter; trackers take no longer ones
_STATES = {"told": "finished", "stopped": "stopped", "failed": "failed"}


@final
class StudySource(Followed):
    """A study while it is written or afterwards.

    Args:
        trust: import whatever the study names, so that its decisions are known.
    """

    def __init__(self, folder: Path, title: str, *, trust: bool = False) -> None:
        self.folder = folder
        self._title, self._trust = title, trust
        self._offset = -1  # of the last event that was read
        self._open: dict[int, list[Event]] = {}
        self._best: tuple[float, int] | None = None
        self._ended = 0
        self._cost = 0.0
        self._final: Mapping[str, float] = {}
        self._last: Event | None = None
        self._space: SearchSpace | None = None
        self._recipe: Parameters = {}

    def whole(self) -> Whole | None:
        """The study, once its log has a first line."""
        if not (self.folder / "study.json").is_file():
            return None
        first = next(events_of(self.folder), None)
        if first is None:
            return None
        began = float(first[1].get("time", 0.0))
        content = read_study_json(self.folder)
        self._space = _space_of(self.folder, trust=self._trust)
        self._recipe = flat(_recipe_of(content))
        parameters = {
            **flat({name: content.get(name) for name in _OF_ALL}),
            "seed": str(content["seed"]),
            "commit": str(content.get("commit")),
        }
        mark = f"{recorded_fingerprint(self.folder)}-{round(began * 1000):x}"
        return Whole(mark, self._title, parameters, began, self.folder)

    def news(self) -> Iterator[Run | Point]:
        """Trials that ended since the last call, with the best so far; updates of a controller."""
        for offset, event in events_of(self.folder, max(self._offset, 0)):
            if offset > self._offset:
                self._offset = offset
                try:
                    found = list(self._heard(event))
                except KeyError as problem:
                    raise StoreError(
                        f"the log holds a line that no study wrote: {shortened(event, 100)}"
                    ) from problem
                yield from found

    def ending(self) -> Conclusion | None:
        """What the search came to, when it has said so."""
        last = self._last
        if last is None or last["event"] != "finished":
            return None
        folder = self.folder / "best"
        files = tuple(sorted(path for path in folder.glob("*") if path.is_file()))
        metrics = {"trials_ended": float(self._ended), "seconds_of_all": self._cost}
        if self._best is not None:
            best = {"winner_score": self._best[0], "winner_trial": float(self._best[1])}
            metrics |= {**best, **numbers(self._final, "final.")}
        present = "+".join(file.name for file in files)
        mark = f"{last['reason']} after {self._ended} trials, {len(self._final)} finals, {present}"
        return Conclusion(mark, metrics, float(last["time"]), files)

    def _heard(self, event: Event) -> Iterator[Run | Point]:
        name = event["event"]
        if name in ("started", "extended", "finished"):
            self._last = event
        if name == "asked":
            self._open[event["number"]] = [event]
        elif name == "attempted":  # what earlier attempts said is void
            entry = self._open[event["number"]]
            entry[1:] = [event]
        elif name == "progressed":
            self._open[event["number"]].append(event)
        elif name in ENDS:
            yield from self._end(event)
        elif name == "opened":
            if self._best is not None and event["number"] == self._best[1]:
                self._final = event["final"]
        elif name == "updated":
            step, time = int(event.get("told") or 0), float(event["time"])
            for key, value in numbers_of(event).items():
                yield Point(f"controller/{key}", step, float(value), time)

    def _end(self, event: Event) -> Iterator[Run | Point]:
        number, time = event["number"], float(event["time"])
        asked, *steps = self._open.pop(number)
        is_told = event["event"] == "told"
        score = float(event["score"]) if is_told else 0.0
        is_best = is_told and (self._best is None or score > self._best[0])
        if is_best:
            self._best = score, number
        self._ended += 1
        self._cost += 0.0 if "reused" in event else event["seconds"]
        yield self._run(asked, steps, event, stands_out=is_best)
        if is_told:
            yield Point("score", self._ended, score, time)
        if self._best is not None:
            yield Point("best_score", self._ended, self._best[0], time)
        yield Point("cost_seconds", self._ended, self._cost, time)

    def _run(self, asked: Event, steps: list[Event], end: Event, *, stands_out: bool) -> Run:
        genotype = Genotype.from_dict(asked["genotype"])
        began = steps[0] if steps else asked
        score = {} if end.get("score") is None else {"score": float(end["score"])}
        return Run(
            name=f"trial-{asked['number']}",
            parameters={
                "seed": str(asked["seed"]),  # of 63 bits: a float would lose some
                **flat(choices_of(self._space, asked["genotype"])),
                **self._recipe,
            },
            state=_STATES[end["event"]],  # type: ignore[arg-type]
            began=float(began["time"]),
            ended=float(end["time"]),
            points=tuple(
                Point(name, step["step"], value, float(step["time"]))
                for step in steps
                if step["event"] == "progressed"
                for name, value in numbers(step["metrics"]).items()
            ),
            metrics={**numbers(end.get("metrics", {})), **score, "seconds": float(end["seconds"])},
            labels=_labels(asked, end),
            genotype=genotype,
            stands_out=stands_out,
        )


def study_sources(folder: Path, *, trust: bool = False) -> list[Followed]:
    """The study in this folder, or those of a comparison that have begun."""
    if (folder / "study.json").is_file():
        return [StudySource(folder, folder.resolve().name, trust=trust)]
    name = folder.resolve().name
    return [
        StudySource(file.parent, " ".join((name, *file.parts[-3:-1])), trust=trust)
        for file in sorted(folder.glob("*/seed-*/study.json"))
    ]


def numbers(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """What of these is a number."""
    return {
        f"{prefix}{name}": float(value)
        for name, value in metrics.items()
        if isinstance(value, int | float)
    }


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str | int | float | bool]:
    """A tree of settings as `recipe.epochs`; what is not set is left out."""
    found: dict[str, str | int | float | bool] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, str | int | float | bool):
            found[f"{prefix}{name}"] = value[:_LONGEST] if isinstance(value, str) else value
        elif value is not None:
            found[f"{prefix}{name}"] = str(value)[:_LONGEST]
    return found


def _recipe_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """How children are trained, of an evaluator that trains some."""
    options = content["evaluator"].get("options", {})
    found = {
        **{name: options.get(name) for name in ("dataset", "preset", "precision")},
        **{name: options.get(name) for name in ("recipe", "skeleton")},
    }
    return found if "recipe" in options else {}


def _labels(asked: Event, end: Event) -> dict[str, str]:
    labels = {"key": str(asked["key"])}
    if "reused" in end:
        labels["reused"] = f"trial {end['reused']}"
    if "learnt" in asked:
        labels["learnt"] = f"trial {asked['learnt']['trial']} of {asked['learnt']['study']}"
    if end["event"] == "failed":
        labels["failure"] = f"{end['kind']}: {end['message']}"[:_LONGEST]
    return labels


def _space_of(folder: Path, *, trust: bool) -> SearchSpace | None:
    """The space of a study; None where it cannot be made here."""
    try:
        return Plan.read(folder, trust=trust).make_space()
    except NasError:
        return None
