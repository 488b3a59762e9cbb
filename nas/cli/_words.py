"""Events as lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Event = Mapping[str, Any]


def described(event: Event) -> str:
    """One event as a line."""
    number = f"{event['number']:>6}" if "number" in event else " " * 6
    return f"{event['event']:>10} {number}  {_detail(event)}".rstrip()


def _detail(event: Event) -> str:
    match event["event"]:
        case "asked":
            return f"key {event['key']}" + (
                f", as trial {event['duplicate_of']}" if "duplicate_of" in event else _learnt(event)
            )
        case "skipped" | "finished":
            return str(event["reason"])
        case "attempted":
            after = event.get("after")
            return f"attempt {event['attempt']}" + (
                f" after {after['kind']}: {_first_line(after)}" if after else ""
            )
        case "progressed":
            return f"step {event['step']}: " + ", ".join(_metrics(event["metrics"]))
        case "told":
            return f"score {event['score']:.6g}" + (
                f", as trial {event['reused']}" if "reused" in event else ""
            )
        case "stopped":
            return f"at step {event['step']}, score {event['score']:.6g}"
        case "failed":
            return f"{event['kind']}: {_first_line(event)}"
        case "opened":
            return ", ".join(_metrics(event["final"]))
        case _:
            return ", ".join(
                _metrics({name: value for name, value in event.items() if name not in _DRY})
            )


def _learnt(asked: Event) -> str:
    origin = asked.get("learnt")
    return f", learnt from trial {origin['trial']} of {origin['study']}" if origin else ""


_DRY = ("event", "number", "time", "format")


def _first_line(failure: Mapping[str, Any]) -> str:
    return str(failure["message"]).partition("\n")[0]


def _metrics(metrics: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in metrics.items()
    ]
