"""The learning rate over the steps of a training, and the optimizer that it drives."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import nn
from torch.optim import SGD, AdamW, Optimizer, RMSprop

from nas.training.recipe import Recipe

_RMSPROP_DECAY, _RMSPROP_EPS = (
    0.9,
    1.0,
)  # as in NASNet's ImageNet code; its epsilon stands under the root

Pace = Callable[[str], float]


def learning_rate_at(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The rate of one step: a linear rise over the warm-up, then constant or one cosine down to
    zero."""
    warmup = round(recipe.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    if recipe.schedule == "constant":
        return recipe.learning_rate
    total = recipe.epochs * steps_per_epoch
    share = (step - warmup) / max(1, total - warmup)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def make_optimizer(network: nn.Module, recipe: Recipe, pace: Pace = lambda _: 1.0) -> Optimizer:
    """The recipe's optimizer: weights of convolutions and linear layers decay, batch norms and
    biases do not.

    Args:
        pace: by its name, what a parameter's rate is multiplied by (a group's `pace`).
    """
    kinds: dict[tuple[float, bool], list[nn.Parameter]] = {(1.0, True): [], (1.0, False): []}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            kinds.setdefault((pace(name), parameter.ndim > 1), []).append(parameter)
    groups = [
        {"params": members, "weight_decay": recipe.weight_decay if decays else 0.0, "pace": factor}
        for (factor, decays), members in kinds.items()
    ]
    if recipe.optimizer == "adamw":
        return AdamW(groups, lr=recipe.learning_rate, betas=(recipe.momentum, 0.999), fused=True)
    if recipe.optimizer == "rmsprop":
        return RMSprop(
            groups,
            lr=recipe.learning_rate,
            alpha=_RMSPROP_DECAY,
            eps=_RMSPROP_EPS,
            momentum=recipe.momentum,
        )
    nesterov = recipe.nesterov and recipe.momentum > 0
    return SGD(
        groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov, fused=True
    )
