"""The preset `fit`: a recipe and a skeleton scaled to the pictures one has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nas.training.datasets import Dataset
from nas.training.recipe import SMALLEST_IMAGENET_IMAGE, Recipe

RECIPE = Recipe(
    epochs=20,
    batch_size=32,
    learning_rate=0.05,
    weight_decay=4e-5,
    warmup_epochs=1,
    label_smoothing=0.1,
    weight_average=0.99,
    crop="resized",
    smallest_crop=0.25,
    flip=True,
    color_jitter=0.2,
)
_PICTURES_SEEN = 100_000  # what a network sees of a small folder, over all epochs
_MOST_EPOCHS = 100


def fit_recipe(dataset: Dataset) -> Recipe:
    """From 20 epochs, where there are 5,000 pictures and more, to 100, where there are few."""
    epochs = math.ceil(_PICTURES_SEEN / len(dataset.load("train")))
    return replace(RECIPE, epochs=min(max(epochs, RECIPE.epochs), _MOST_EPOCHS))


def fit_skeleton(image_size: int, *, single: bool) -> Mapping[str, Any]:
    """The layout for images of this size; cells with a single input have one of their own."""
    if single:
        return {"layout": "nasbench201", "cells_per_stage": 2, "filters": 16}
    if image_size < SMALLEST_IMAGENET_IMAGE:
        return {"layout": "cifar", "cells_per_stage": 2, "filters": 16, "stem_filters": 32}
    return {
        "layout": "imagenet",
        "cells_per_stage": 2,
        "filters": 24,
        "stem_filters": 32,
        "bn_eps": 1e-3,
    }
