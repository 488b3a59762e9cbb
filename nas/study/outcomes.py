"""How the end of a trial is written, and read again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.contracts import Evaluation, Failure, Outcome, Stopped


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
