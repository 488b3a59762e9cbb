"""As OptunaHub's own tests: the sampler runs, is reproducible, and learns."""

from __future__ import annotations

from pathlib import Path

import optuna
import optunahub

REGISTRY = str(Path(__file__).parents[3])


def objective(trial: optuna.Trial) -> float:
    drawn = [trial.suggest_categorical(f"layer_{layer}", ("a", "b", "c")) for layer in range(4)]
    return sum(name == "b" for name in drawn)


def values(seed: int) -> list[float]:
    module = optunahub.load_local_module("samplers/nas_policy_gradient", registry_root=REGISTRY)
    sampler = module.PolicyGradientSampler(seed=seed, uniform=8, hidden=8)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=30)
    return [trial.value for trial in study.trials if trial.value is not None]


def test_it_runs_and_is_reproducible() -> None:
    first = values(0)
    assert len(first) == 30
    assert first == values(0)
    assert first != values(1)
