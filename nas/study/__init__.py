"""One study remembered: its turns, its log, and what the log amounts to.

Here stands what is the same for every strategy of a study: its budget, and the policies for
duplicates, failures and early stops.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from nas.errors import SettingsError, known_names, shortened

Duplicates = Literal["reuse", "retrain", "resample"]
Repeats = Literal["free", "charged"]
StoppedAs = Literal["worst", "ignore"]
EarlyStop = Literal["none", "asha", "median"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When a study ends: trials, summed seconds of evaluation, hours of wall clock. Not part of its
    identity."""

    trials: int | None = None
    seconds: float | None = None
    hours: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise SettingsError(
                    f"a budget of {shortened(value)} {field.name} makes no study: expected more "
                    "than 0"
                )

    def to_dict(self) -> dict[str, Any]:
        """Only what is set."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def spent(self, trials: int, seconds: float, wall_seconds: float) -> str | None:
        """Which limit is reached, in words."""
        if self.trials is not None and trials >= self.trials:
            return (
                "the one trial is done"
                if self.trials == 1
                else f"all {self.trials} trials are done"
            )
        if self.seconds is not None and seconds >= self.seconds:
            return f"the budget of {self.seconds:g} s of evaluation is spent"
        if self.hours is not None and wall_seconds >= self.hours * 3600:
            return f"the {self.hours:g} h of wall clock are over"
        return None

    def __str__(self) -> str:
        words = {
            "trials": "{} trial" if self.trials == 1 else "{} trials",
            "seconds": "{:g} s of evaluation",
            "hours": "{:g} h of wall clock",
        }
        return (
            ", ".join(words[name].format(value) for name, value in self.to_dict().items())
            or "no limit"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One policy for all strategies.

    Args:
        duplicates: `reuse` tells the known score at no cost, `retrain` evaluates again, `resample`
            skips.
        evaluations_per_trial: with how many seeds each genotype is judged; their mean is its score.
        repeats: `free`: a budget of trials buys evaluations, and a score told again is none.
            `charged`: it counts as a trial, as in studies that earlier versions began.
        retries: how often a failed evaluation is tried again before the failure is recorded.
        failure_score: the score a strategy hears for a failure; None: it never hears of one.
        stopped_as: what a strategy hears of a trial stopped early: the worst full score so far, or
            nothing.
        keep: of how many best trials the files they kept (weights) stay in the study's folder.
        early_stop: the rule by which trials are ended early (`nas/study/early_stopping.py`).
        grace_steps: no trial is ended before so many steps.
        reduction: asha lets one in so many go on at each rung.
        grace_trials: median ends none before so many trials have ended in full.
        lag: None: results are told as they arrive. A number: proposal n follows the results of all
            trials up to n - lag and no later one, so that the study is the same on any number of
            workers.
    """

    duplicates: Duplicates = "reuse"
    evaluations_per_trial: int = 1
    repeats: Repeats = "free"
    retries: int = 1
    failure_score: float | None = None
    stopped_as: StoppedAs = "worst"
    keep: int = 1
    early_stop: EarlyStop = "none"
    grace_steps: int = 1
    reduction: float = 3.0
    grace_trials: int = 5
    lag: int | None = None

    def __post_init__(self) -> None:
        words = {
            "duplicates": Duplicates,
            "repeats": Repeats,
            "stopped_as": StoppedAs,
            "early_stop": EarlyStop,
        }
        for name, kind in words.items():
            allowed = get_args(kind)
            if getattr(self, name) not in allowed:
                raise SettingsError(
                    known_names(getattr(self, name), allowed, f"rule for {name.replace('_', '-')}")
                )
        for name in ("retries", "keep"):
            if not 0 <= getattr(self, name) <= 1_000:
                raise SettingsError(
                    f"{name} is {shortened(getattr(self, name))}: expected a number from 0 to 1000"
                )
        most = {"grace_steps": 1_000_000, "grace_trials": 1_000_000, "evaluations_per_trial": 1_000}
        for name, limit in most.items():
            if not 1 <= getattr(self, name) <= limit:
                raise SettingsError(
                    f"{name} is {shortened(getattr(self, name))}: expected a number from 1 to "
                    f"{limit}"
                )
        if not (math.isfinite(self.reduction) and self.reduction >= 1.1):
            raise SettingsError(f"reduction is {self.reduction}: expected a number from 1.1, say 3")
        self._check_lag()
        if self.failure_score is not None and not math.isfinite(self.failure_score):
            raise SettingsError(f"failure-score is {self.failure_score}: expected a finite number")

    def _check_lag(self) -> None:
        if self.lag is None:
            return
        if not 1 <= self.lag <= 10_000:
            raise SettingsError(f"lag is {shortened(self.lag)}: expected a number from 1 to 10000")
        if self.early_stop != "none":
            raise SettingsError(
                f"early stopping by {self.early_stop} depends on which report comes first, so it "
                "cannot be "
                "deterministic: leave out --early-stop or --deterministic"
            )
