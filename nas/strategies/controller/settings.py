"""What can be set about the controller, and its presets: with a critic, without, the paper's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from nas.errors import SettingsError, known_names, shortened

Algorithm = Literal["ppo", "reinforce"]
Advantage = Literal["baseline", "scale", "rank"]

MOST_COSTS = 10.0
_LARGEST_BLOCK = 100_000  # rows that one pass draws
_RANGES = {
    "batch": (1, 10_000),
    "epochs": (1, 1_000),
    "window": (1, 1_000_000),
    "hidden": (1, 4_096),
    "reuse": (0, 100_000),
    "replay": (0, 10_000),
    "redraws": (0, 100),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Options of a controller that learns from batches; defaults are those of preset `plain`."""

    algorithm: Algorithm = "ppo"
    batch: int = 10
    epochs: int = 2
    clip: float = 0.15
    learning_rate: float = 0.01
    entropy_weight: float = 0.12
    advantage: Advantage = "rank"
    window: int = 50
    baseline_decay: float = 0.95
    reuse: int = 10
    replay: int = 5
    replay_weight: float = 0.5
    tanh_constant: float = 0.0
    temperature: float = 1.0
    redraws: int = 2
    hidden: int = 100

    def __post_init__(self) -> None:
        _one_of("algorithm", self.algorithm, get_args(Algorithm))
        _one_of("advantage", self.advantage, get_args(Advantage))
        for name, (least, most) in _RANGES.items():
            _whole(name, getattr(self, name), least, most)
        for name in ("entropy_weight", "replay_weight", "tanh_constant"):
            _number(name, getattr(self, name), least=0)
        for name in ("clip", "learning_rate", "temperature"):
            _number(name, getattr(self, name), above=0)
        _number("baseline_decay", self.baseline_decay, least=0, most=1)
        if (rows := self.batch * (1 + self.redraws)) > _LARGEST_BLOCK:
            raise SettingsError(
                f"batch {self.batch:,} and redraws {self.redraws} of policy-gradient make blocks "
                f"of {rows:,} rows; "
                f"expected batch x (1 + redraws) of at most {_LARGEST_BLOCK:,}"
            )


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingsError(
            f"{name} of policy-gradient is {shortened(value)}; expected one of {', '.join(allowed)}"
        )


def _whole(name: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise SettingsError(
            f"{name} of policy-gradient is {shortened(value)}; expected a whole number from "
            f"{least} to {most:,}"
        )


def _number(
    name: str,
    value: float,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
) -> None:
    if not (math.isfinite(value) and least <= value <= most and value > above):
        bounds = f"more than {above:g}" if math.isfinite(above) else f"{least:g} or more"
        if math.isfinite(most):
            bounds = f"{least:g} to {most:g}"
        raise SettingsError(f"{name} of policy-gradient is {shortened(value)}; expected {bounds}")


@dataclass(frozen=True, slots=True)
class CriticSettings:
    """Options of a controller with a critic; the defaults are those of preset `default`."""

    draws: int = 64
    uniform: int = 256
    mutants: int = 64
    rounds: int = 4
    every: int = 4
    learning_rate: float = 0.003
    entropy_weight: float = 0.1
    tanh_constant: float = 0.0
    temperature: float = 1.0
    hidden: int = 100
    costs: float = 0.0

    def __post_init__(self) -> None:
        for name, (least, most) in _CRITIC_RANGES.items():
            _whole(name, getattr(self, name), least, most)
        for name in ("entropy_weight", "tanh_constant"):
            _number(name, getattr(self, name), least=0)
        _number("costs", self.costs, least=0, most=MOST_COSTS)
        for name in ("learning_rate", "temperature"):
            _number(name, getattr(self, name), above=0)


_CRITIC_RANGES = {
    "draws": (2, 10_000),
    "uniform": (0, 10_000),
    "mutants": (0, 10_000),
    "rounds": (0, 100),
    "every": (1, 1_000),
    "hidden": (1, 4_096),
}

PRESETS: Mapping[str, Settings | CriticSettings] = {
    "default": CriticSettings(),
    "plain": Settings(),
    # Section 3 and appendix A of the paper: PPO, batches of 20, learning rate 0.00035, entropy
    # weight 0.00001, baseline decay 0.95. It does not say how often a batch is used nor where PPO
    # clips: 4 epochs and 0.2 are ours.
    "paper": Settings(
        batch=20,
        epochs=4,
        clip=0.2,
        learning_rate=0.00035,
        entropy_weight=0.00001,
        advantage="baseline",
        reuse=0,
        replay=0,
        replay_weight=0.0,
        redraws=0,
    ),
}


def settings_from(preset: str, options: Mapping[str, Any]) -> Settings | CriticSettings:
    """A preset with some of its options changed; None leaves an option as it is."""
    if preset not in PRESETS:
        raise SettingsError(known_names(preset, PRESETS, "preset of policy-gradient"))
    settings = PRESETS[preset]
    own = {field.name for field in fields(settings)}
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in own:
            others = [
                other
                for other, there in PRESETS.items()
                if name in {field.name for field in fields(there)}
            ]
            raise SettingsError(
                f"option {name} of policy-gradient does not belong to its preset {preset}, but to "
                f"{' and '.join(others)}: leave it out, or say strategy.preset={others[0]}"
            )
    return replace(settings, **given)
