"""Every event of a study: how it is written, what a line that is read must hold, and how the end of
a trial is read again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from nas.contracts import Evaluation, Failure, Outcome, Stopped, Trial
from nas.errors import shortened
from search_spaces.cells.genotype import Genotype

Event = Mapping[str, Any]

MOST_OBJECTIVES: Final = 3
ENDS: Final = ("told", "stopped", "failed")  # a trial ends once, by one of these


def asked_event(
    trial: Trial, key: str, original: int | None, strategy_seconds: float
) -> dict[str, Any]:
    """The first line of a trial; `original` is the trial it repeats."""
    event = {
        "event": "asked",
        "number": trial.number,
        "key": key,
        "genotype": trial.genotype.to_dict(),
        "seed": trial.seed,
        "notes": trial.notes,
        "strategy_seconds": strategy_seconds,
    }
    if trial.fidelity != 1:
        event["fidelity"] = trial.fidelity
    return event if original is None else {**event, "duplicate_of": original}


def skipped_event(
    number: int, genotype: Genotype, key: str, reason: str, strategy_seconds: float
) -> dict[str, Any]:
    """The only line of a proposal that became no trial."""
    return {
        "event": "skipped",
        "number": number,
        "key": key,
        "genotype": genotype.to_dict(),
        "reason": reason,
        "strategy_seconds": strategy_seconds,
    }


def progressed_event(
    number: int, attempt: int, step: int, metrics: Mapping[str, Any]
) -> dict[str, Any]:
    """One step of a learning curve."""
    return {
        "event": "progressed",
        "number": number,
        "attempt": attempt,
        "step": step,
        "metrics": dict(metrics),
    }


def end_event(number: int, outcome: Outcome) -> dict[str, Any]:
    """The last line of a trial."""
    match outcome:
        case Evaluation(score, metrics, seconds, objectives):
            event = {"event": "told", "number": number, "score": score}
            if objectives:
                event["objectives"] = list(objectives)
            return {**event, "metrics": dict(metrics), "seconds": seconds}
        case Stopped(step, score, metrics, seconds):
            event = {"event": "stopped", "number": number, "step": step, "score": score}
            return {**event, "metrics": dict(metrics), "seconds": seconds}
        case Failure(kind, message, seconds):
            return {
                "event": "failed",
                "number": number,
                "kind": kind,
                "message": message,
                "seconds": seconds,
            }


def outcome_of(event: Mapping[str, Any]) -> Outcome:
    """What a last line says."""
    match event["event"]:
        case "told":
            objectives = tuple(event.get("objectives", ()))
            return Evaluation(event["score"], event["metrics"], event["seconds"], objectives)
        case "stopped":
            return Stopped(event["step"], event["score"], event["metrics"], event["seconds"])
        case _:
            return Failure(event["kind"], event["message"], event["seconds"])


# ------------------------------------------------------------------ what a line must hold

_LARGEST = 1.7e308  # of what a float can hold; NaN is on neither side of it
_MOST = 1 << 63


def complaint_about(event: Event) -> str | None:
    """Which field of a line that was read is missing or of another kind; None where all is well."""
    for field in _FIELDS.get(event["event"], _OF_OTHERS):
        value = event.get(field.name, _MISSING)
        if value is _MISSING:
            if field.needed:
                return f"is {event['event']!r} without {field.name!r}"
        elif not field.fits(value):
            return f"has {shortened(value)} as {field.name!r}, expected {field.expected}"
    return None


def is_count(value: object) -> bool:
    """Whether it is a whole number from 0 that fits into 63 bits."""
    return type(value) is int and 0 <= value < _MOST


def is_number(value: object) -> bool:
    """Whether it is a finite number."""
    return type(value) in (int, float) and -_LARGEST < value < _LARGEST  # type: ignore[operator]


def is_text(value: object) -> bool:
    """Whether it is a text."""
    return type(value) is str


def is_table(value: object) -> bool:
    """Whether it is a table of anything."""
    return type(value) is dict


def is_budget(value: object) -> bool:
    """Whether it says when a study ends."""
    return isinstance(value, dict) and all(
        (is_count(limit) if name == "trials" else name in ("seconds", "hours") and is_number(limit))
        and limit > 0
        for name, limit in value.items()
    )


def is_numbers(value: object) -> bool:
    """Whether it is a table of numbers."""
    return isinstance(value, dict) and all(map(is_number, value.values()))


def is_point(value: object) -> bool:
    """Whether it is the values of several objectives."""
    if not isinstance(value, list) or not 2 <= len(value) <= MOST_OBJECTIVES:
        return False
    return all(map(is_number, value))


def _is_metrics(value: object) -> bool:
    """Anything may be measured, but a number is one that fits, and a score is a number or none."""
    if not isinstance(value, dict):
        return False
    for name, found in value.items():
        is_other = found is None or (name != "score" and type(found) not in (int, float))
        if not (is_other or is_number(found)):
            return False
    return True


def _is_failure(value: object) -> bool:
    return (
        isinstance(value, dict)
        and is_text(value.get("kind"))
        and is_text(value.get("message"))
        and is_number(value.get("seconds"))
    )


def _is_origin(value: object) -> bool:
    return (
        isinstance(value, dict)
        and is_text(value.get("study"))
        and is_count(value.get("trial"))
        and is_number(value.get("seconds"))
    )


class Field(NamedTuple):
    """One field of an event or of a file of ours."""

    name: str
    fits: Callable[[object], bool]
    expected: str
    needed: bool = True


_MISSING: Final = object()
_COUNT, _TEXT, _TABLE = "a whole number from 0", "a text", "a table"
_TIME = Field("time", is_number, "seconds", needed=False)
_NUMBER = Field("number", is_count, _COUNT)
_THOUGHT = Field("strategy_seconds", is_number, "seconds", needed=False)
_PROPOSED = (_NUMBER, Field("key", is_text, _TEXT), Field("genotype", is_table, _TABLE), _THOUGHT)
_SECONDS = Field("seconds", is_number, "seconds")
_SCORE = Field("score", is_number, "a finite number")
_METRICS = Field("metrics", _is_metrics, "a table of what was measured")
_OBJECTIVES = Field("objectives", is_point, "two or three numbers", needed=False)
_STEP = Field("step", is_count, _COUNT)
_ATTEMPT = Field("attempt", is_count, _COUNT)
_REUSED = Field("reused", is_count, _COUNT, needed=False)
_LEARNT = Field("learnt", is_count, _COUNT, needed=False)
_BUDGET = "a budget of trials, seconds or hours"

_OF_OTHERS = (_TIME, _NUMBER._replace(needed=False))
_FIELDS: Final[dict[str, tuple[Field, ...]]] = {
    "started": (
        _TIME,
        Field("budget", is_budget, _BUDGET, needed=False),
        Field("study", is_text, _TEXT, needed=False),
    ),
    "asked": (
        _TIME,
        *_PROPOSED,
        Field("seed", is_count, _COUNT),
        Field("notes", is_table, _TABLE),
        Field("duplicate_of", is_count, _COUNT, needed=False),
        Field("fidelity", is_number, "a share of a training", needed=False),
        Field("judged_seconds", is_number, "seconds", needed=False),
        Field("learnt", _is_origin, "a study, a trial of it and its seconds", needed=False),
    ),
    "skipped": (_TIME, *_PROPOSED, Field("reason", is_text, _TEXT)),
    "attempted": (
        _TIME,
        _NUMBER,
        _ATTEMPT,
        Field("after", _is_failure, "a failure with kind, message and seconds", needed=False),
    ),
    "progressed": (_TIME, _NUMBER, _ATTEMPT, _STEP, _METRICS),
    "told": (_TIME, _NUMBER, _SCORE, _OBJECTIVES, _METRICS, _SECONDS, _REUSED, _LEARNT),
    "stopped": (_TIME, _NUMBER, _STEP, _SCORE, _METRICS, _SECONDS, _REUSED),
    "failed": (
        _TIME,
        _NUMBER,
        Field("kind", is_text, _TEXT),
        Field("message", is_text, _TEXT),
        _SECONDS,
        _REUSED,
    ),
    "opened": (_TIME, _NUMBER, Field("final", is_numbers, "a table of numbers")),
    "extended": (_TIME, Field("budget", is_budget, _BUDGET)),
    "finished": (_TIME, Field("reason", is_text, _TEXT), _THOUGHT),
}
