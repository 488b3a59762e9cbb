"""Twelve layers, each of four operations: the sampler finds which ones were wanted."""

import optuna
import optunahub

OPERATIONS = ("conv", "pool", "skip", "none")


def objective(trial: optuna.Trial) -> float:
    """How many of twelve layers are as they should be."""
    drawn = [trial.suggest_categorical(f"layer_{layer}", OPERATIONS) for layer in range(12)]
    return sum(name == OPERATIONS[layer % 4] for layer, name in enumerate(drawn))


if __name__ == "__main__":
    module = optunahub.load_module("samplers/nas_policy_gradient")
    study = optuna.create_study(direction="maximize", sampler=module.PolicyGradientSampler(seed=0))
    study.optimize(objective, n_trials=300)
    print(study.best_value, study.best_params)
