"""Options of parts as earlier versions wrote them down, read as what they meant then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CRITIC_OPTIONS = ("draws", "uniform", "mutants", "rounds", "every", "costs")

# Earlier versions measured how children are computed once for a whole study.
_FROZEN_ONCE = ("device", "threads", "precision", "layout", "graphs", "reproducible")


def still_measured(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What was measured when a study began, without what is not measured for a study any more."""
    return {
        name: value for name, value in before.items() if name in now or name not in _FROZEN_ONCE
    }


def in_todays_words(kind: str, name: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options under which today's part does what it did when these were written.

    Before policy-gradient had a critic, its preset `default` was what is `plain` now; such a record
    lacks the options of the critic. Before a critic could count seconds, it did not, before a
    landscape had interactions, it had none, and a table no steps.
    """
    if (kind, name) == ("evaluator", "landscape"):
        return {"interactions": 0.0, **options}
    if (kind, name) == ("evaluator", "table"):
        return {"steps": None, **options}
    if (kind, name) == ("strategy", "critic"):
        return {"costs": 0.0, **options}
    if (kind, name) != ("strategy", "policy-gradient"):
        return options
    if "draws" in options:
        return {"costs": None, **options}
    preset = options.get("preset", "default")
    renamed = "plain" if preset == "default" else preset
    return {**options, **dict.fromkeys(_CRITIC_OPTIONS), "preset": renamed}


def renewed(kind: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """A part as a file records it, with its options in today's words."""
    return {**part, "options": dict(in_todays_words(kind, part["name"], part["options"]))}
