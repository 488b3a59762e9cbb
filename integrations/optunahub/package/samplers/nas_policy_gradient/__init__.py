"""The RNN controller of nas-toolkit as an Optuna sampler."""

from nas.strategies.controller.as_optuna_sampler import PolicyGradientSampler

__all__ = ["PolicyGradientSampler"]
