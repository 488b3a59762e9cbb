"""The plan of a comparison, as it stands in `compare.json`: what was to be compared, how, and when
it was asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from nas.errors import SettingsError, StudyError, shortened
from nas.search.comparing.arms import Arm
from nas.search.old_options import renewed
from nas.search.plan import (
    OLD_REPEATS,
    commit,
    differences,
    hardware,
    is_part,
    is_scales,
    refuse_misfits,
    versions,
)
from nas.settings import Part
from nas.study import Budget
from nas.study.events import Field, is_budget, is_count, is_number, is_table, is_text
from nas.study.store import COMPARISON, take_lock, write_whole

if TYPE_CHECKING:
    from nas.study.front import Scale

FORMAT = 1
FILE = COMPARISON
_LARGEST_FILE = 64_000_000

ConfirmBy = Literal["score", "belief"]


@dataclass(frozen=True, slots=True)
class Confirm:
    """How winners are chosen again, after each search: of its top trials, evaluated with fresh
    seeds.

    Args:
        top: how many of the best trials of each search.
        score: another expression to confirm by (a table gives the same score again).
        cost: what that costs, where it is not the cost of the search.
        by: which are the top ones: `score`, or `belief` for those that a critic of all scores
            expects most of.
        evaluator: another judge than the one that searched; None: that one again.
    """

    top: int
    score: str | None = None
    cost: str | None = None
    by: ConfirmBy = "score"
    evaluator: Part | None = None

    @classmethod
    def read(cls, content: Mapping[str, Any], *, trust: bool) -> Self:
        """What a file says of it."""
        told = content.get("evaluator")
        judge = None if told is None else Part.read("evaluator", told, trust=trust)
        return cls(**{**content, "evaluator": judge})

    def to_dict(self) -> dict[str, Any]:
        """As it is written down; what was no choice once goes without saying."""
        told: dict[str, Any] = {"top": self.top, "score": self.score, "cost": self.cost}
        if self.by != "score":
            told["by"] = self.by
        if self.evaluator is not None:
            told["evaluator"] = self.evaluator.to_dict()
        return told


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: arms x seeds with a budget, and what is to be said about them."""

    arms: Sequence[Arm]
    seeds: Sequence[int]
    budget: Budget
    confirm: Confirm | None = None
    margin: float | None = None
    pilot: int = 0
    measured: Mapping[str, Any] = field(default_factory=dict)
    scales: tuple[Scale, ...] | None = None  # of the objectives, where there are several
    first_alone: tuple[str, ...] = ()  # arms that hear the first objective alone

    @property
    def judge(self) -> Part:
        """Who chooses the winners."""
        again = None if self.confirm is None else self.confirm.evaluator
        return self.arms[0].plan.evaluator if again is None else again


def read_comparison(folder: Path) -> dict[str, Any] | None:
    """The content of `compare.json`; None where there is none."""
    path = folder / FILE
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise StudyError(
                f"{path} is larger than {_LARGEST_FILE:,} bytes: it is no comparison of ours"
            )
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        raise StudyError(f"{path} cannot be read: {problem.strerror}") from problem
    except (ValueError, RecursionError) as problem:
        raise StudyError(f"{path} is not JSON in UTF-8: restore it from a copy") from problem
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else None
        raise StudyError(
            f"{path} has format {shortened(found)}, but this version reads format {FORMAT}"
        )
    missing = {
        "arms",
        "seeds",
        "budget",
        "confirm",
        "margin",
        "pilot",
        "measured",
        "requests",
    } - set(content)
    if missing:
        raise StudyError(f"{path} lacks {sorted(missing)[0]!r}: it is no comparison of ours")
    refuse_misfits(path, content, _FIELDS)
    arms = {label: _renewed(arm) for label, arm in content["arms"].items()}
    return {"repeats": OLD_REPEATS, **content, "arms": arms, "confirm": _again(content["confirm"])}


def _again(confirm: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """How winners are confirmed, where another judge does it in today's words."""
    if confirm is None or "evaluator" not in confirm:
        return confirm
    return {**confirm, "evaluator": renewed("evaluator", confirm["evaluator"])}


def _renewed(arm: Mapping[str, Any]) -> dict[str, Any]:
    """An arm as an earlier version wrote it down, in today's words."""
    return {**arm, **{kind: renewed(kind, arm[kind]) for kind in ("strategy", "evaluator")}}


def _is_arm(value: object) -> bool:
    return isinstance(value, dict) and all(
        _is_whole(value.get(kind)) for kind in ("strategy", "evaluator")
    )


def _is_whole(value: object) -> bool:
    return isinstance(value, dict) and is_part(value) and "options" in value


def _are_arms(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(_is_arm, value.values()))


def _are_seeds(value: object) -> bool:
    return isinstance(value, list) and all(map(is_count, value))


def _is_confirm(value: object) -> bool:
    return value is None or (
        isinstance(value, dict)
        and is_count(value.get("top"))
        and all(value.get(name) is None or is_text(value[name]) for name in ("score", "cost"))
        and value.get("by", "belief") == "belief"
        and ("evaluator" not in value or _is_whole(value["evaluator"]))
        and value.keys() <= {"top", "score", "cost", "by", "evaluator"}
    )


def _is_request(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"arms", "seeds", "budget"}
        and isinstance(value["arms"], list)
        and all(map(is_text, value["arms"]))
        and is_count(value["seeds"])
        and is_budget(value["budget"])
    )


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(is_text, value))


def _are_requests(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_request, value))


_FIELDS = (
    Field("arms", _are_arms, "a table of arms, each with strategy and evaluator"),
    Field("seeds", _are_seeds, "a list of whole numbers from 0"),
    Field("budget", is_budget, "a budget of trials, seconds or hours"),
    Field("confirm", _is_confirm, "nothing, or how many to confirm"),
    Field("margin", lambda value: value is None or is_number(value), "a number"),
    Field("pilot", is_count, "a whole number from 0"),
    Field("measured", is_table, "a table"),
    Field("repeats", is_text, "free or charged"),
    Field("scales", is_scales, "two or three pairs of numbers"),
    Field("requests", _are_requests, "a list of requests"),
    Field("first_alone", _are_texts, "a list of arms"),
)


def write_comparison(folder: Path, asked: Asked, there: Mapping[str, Any] | None) -> None:
    """Write the plan, or add to the one that is there what this request adds."""
    content = _content(asked)
    if there is not None:
        content["arms"] = {**there["arms"], **content["arms"]}
        content["seeds"] = sorted({*there["seeds"], *content["seeds"]})
        content["pilot"] = max(there["pilot"], asked.pilot)
        if first_alone := sorted({*there.get("first_alone", ()), *asked.first_alone}):
            content["first_alone"] = first_alone
        content["requests"] = [*there["requests"], *content["requests"]]
        if _asks_nothing_new(there, content["requests"][-1], asked.seeds):
            content["requests"].pop()
        content = {**content, **{name: there[name] for name in ("versions", "commit", "hardware")}}
    if content != there:
        write_whole(folder / FILE, json.dumps(content, indent=1) + "\n")


def refuse_changed(folder: Path, asked: Asked, there: Mapping[str, Any]) -> None:
    """A comparison goes on as it was begun; more seeds, arms and budget are welcome, and written
    down as such."""
    wanted = _content(asked)
    lines = []
    for label in wanted["arms"].keys() & there["arms"].keys():
        lines += differences(there["arms"][label], wanted["arms"][label], f"{label}: ")
    others = ("confirm", "margin")
    lines += differences(
        {name: there[name] for name in others}, {name: wanted[name] for name in others}
    )
    if lines:
        shown = "; ".join(sorted(lines)[:4]) + (
            f"; and {len(lines) - 4} more" if len(lines) > 4 else ""
        )
        raise StudyError(
            f"{folder} holds a comparison with other settings ({shown}): give these settings, or "
            "choose another folder "
            "with --out"
        )


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep a second comparison out of this folder while this one runs."""
    try:
        file = os.open(folder, os.O_RDONLY)
    except OSError as problem:
        raise StudyError(f"{folder} cannot be opened: {problem.strerror}") from problem
    try:
        take_lock(file)
        yield
    except BlockingIOError as problem:
        raise StudyError(
            f"another comparison is running in {folder}: wait for it, stop it, or choose another "
            "folder with --out"
        ) from problem
    finally:
        os.close(file)


def checked_confirm(arm: Arm, confirm: Confirm) -> Confirm:
    """Refuse to read the same number twice and call it a confirmation."""
    if confirm.top < 1:
        raise SettingsError(f"--confirm is {confirm.top}: expected 1 or more of the best trials")
    same_number = confirm.evaluator is None and confirm.score is None
    if arm.plan.evaluator.name == "table" and same_number:
        raise SettingsError(
            "--confirm would read the same score of the table again: say by which other columns "
            "to confirm with "
            "--confirm-score"
        )
    return confirm


def _content(asked: Asked) -> dict[str, Any]:
    request = {
        "arms": [arm.label for arm in asked.arms],
        "seeds": len(asked.seeds),
        "budget": asked.budget.to_dict(),
    }
    content = {
        "format": FORMAT,
        "arms": {arm.label: arm.identity() for arm in asked.arms},
        "seeds": list(asked.seeds),
        "budget": asked.budget.to_dict(),
        "repeats": asked.arms[0].plan.rules.repeats,
        "confirm": None if asked.confirm is None else asked.confirm.to_dict(),
        "margin": asked.margin,
        "pilot": asked.pilot,
        "measured": dict(asked.measured),
        "requests": [request],
        "versions": versions(),
        "commit": commit(),
        "hardware": hardware(),
    }
    if asked.scales is not None:
        content["scales"] = asked.scales
    if asked.first_alone:
        content["first_alone"] = asked.first_alone
    plain: dict[str, Any] = json.loads(json.dumps(content))
    return plain


def _asks_nothing_new(
    there: Mapping[str, Any], request: Mapping[str, Any], seeds: Sequence[int]
) -> bool:
    """Whether all of it had been asked for before, with this budget."""
    known = {*request["arms"]} <= {*there["arms"]} and {*seeds} <= {*there["seeds"]}
    return known and request["budget"] == there["budget"]
