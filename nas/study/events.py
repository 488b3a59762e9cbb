"""Every event a study writes about its trials, and how the end of one is read again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nas.contracts import Evaluation, Failure, Outcome, Stopped, Trial
from search_spaces.cells.genotype import Genotype

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


def end_event(number: int, outcome: Outcome) -> dict[str, Any]:
    """The last line of a trial."""
    match outcome:
        case Evaluation(score, metrics, seconds):
            return {
                "event": "told",
                "number": number,
                "score": score,
                "metrics": dict(metrics),
                "seconds": seconds,
            }
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
            return Evaluation(event["score"], event["metrics"], event["seconds"])
        case "stopped":
            return Stopped(event["step"], event["score"], event["metrics"], event["seconds"])
        case _:
            return Failure(event["kind"], event["message"], event["seconds"])
