"""The report for machines: its records as JSON, with the keys that are promised within a format."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from nas.reports.findings import (
    Area,
    ControllerCurves,
    Curse,
    Findings,
    Incumbents,
    Spread,
)
from nas.reports.frame import RecordedPart

# Keys that came later, and are there only where they say something.
_LATER = (
    *("judged_often", "learn_from", "learnt", "screen", "fidelity", "audits"),
    *("objectives", "scales"),
)


def as_json(findings: Findings) -> str:
    """The content of report.json."""
    return json.dumps(tree(findings), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def tree(value: Any) -> Any:
    """Records as mappings, all the way down."""
    match value:
        case Spread(n=0) | Curse(n=0):
            return {"n": 0}
        case RecordedPart():
            return {"name": value.name, "options": tree(value.options), **tree(value.others)}
        case Area():
            return {"axis": value.axis, "end": value.end, **tree(value.height)}
        case Incumbents(final=None):
            return {"x": tree(value.x), "score": tree(value.score)}
        case ControllerCurves():
            counts = {"collapsed": value.collapsed, "studies": value.studies}
            return {"told": tree(value.told), **tree(value.curves), **counts}
        case Mapping():
            return {name: tree(below) for name, below in value.items()}
        case str():
            return value
        case Sequence():
            return [tree(each) for each in value]
        case _ if dataclasses.is_dataclass(value):
            there = (name for name in _names(value) if getattr(value, name) or name not in _LATER)
            return {name: tree(getattr(value, name)) for name in there}
        case _:
            return value


def _names(record: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(record)]
