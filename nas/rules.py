"""What is the same for every strategy of a study: budget, and the policies for duplicates, failures and early stops."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from nas.errors import SettingsError, known_names, shortened

Duplicates = Literal["reuse", "retrain", "resample"]
StoppedAs = Literal["worst", "ignore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When a study ends: trials, summed seconds of evaluation, hours of wall clock. Not part of its identity."""

    trials: int | None = None
    seconds: float | None = None
    hours: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise SettingsError(f"a budget of {shortened(value)} {field.name} makes no study: expected more than 0")

    def to_dict(self) -> dict[str, Any]:
        """Only what is set."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        words = {"trials": "{} trials", "seconds": "{:g} s of evaluation", "hours": "{:g} h of wall clock"}
        return ", ".join(words[name].format(value) for name, value in self.to_dict().items()) or "no limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One policy for all strategies.

    Args:
        duplicates: `reuse` tells the known score at no cost, `retrain` evaluates again, `resample` skips.
        retries: how often a failed evaluation is tried again before the failure is recorded.
        failure_score: the score a strategy hears for a failure; None: it never hears of one.
        stopped_as: what a strategy hears of a trial stopped early: the worst full score so far, or nothing.
        keep: of how many best trials the files they kept (weights) stay in the study's folder.
    """

    duplicates: Duplicates = "reuse"
    retries: int = 1
    failure_score: float | None = None
    stopped_as: StoppedAs = "worst"
    keep: int = 1

    def __post_init__(self) -> None:
        for name, allowed in (("duplicates", get_args(Duplicates)), ("stopped_as", get_args(StoppedAs))):
            if getattr(self, name) not in allowed:
                raise SettingsError(known_names(getattr(self, name), allowed, f"rule for {name.replace('_', '-')}"))
        for name in ("retries", "keep"):
            if not 0 <= getattr(self, name) <= 1_000:
                raise SettingsError(f"{name} is {shortened(getattr(self, name))}: expected a number from 0 to 1000")
        if self.failure_score is not None and not math.isfinite(self.failure_score):
            raise SettingsError(f"failure-score is {self.failure_score}: expected a finite number")
