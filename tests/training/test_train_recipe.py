"""Recipes: what is refused and in which words, the schedule, and which weights decay."""

import json
import math
from typing import Any

import pytest
from torch import nn

from nas.errors import SettingsError
from nas.training.datasets import preset
from nas.training.recipe import Recipe
from nas.training.schedule import learning_rate_at, make_optimizer


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epoch": 3}, "no setting of the recipe is called 'epoch'.*did you mean 'epochs'"),
        ({"epochs": "3"}, "recipe.epochs is '3'; expected a whole number"),
        ({"epochs": 2.5}, "recipe.epochs is 2.5; expected a whole number"),
        ({"epochs": True}, "recipe.epochs is True; expected a whole number"),
        ({"epochs": 0}, "recipe.epochs is 0; expected 1 to 100000"),
        ({"learning_rate": -1}, "recipe.learning_rate is -1.0; expected 0 to 1000"),
        ({"learning_rate": float("nan")}, "recipe.learning_rate is nan; expected 0 to 1000"),
        ({"flip": 1}, "recipe.flip is 1; expected true or false"),
        ({"optimizer": "sdg"}, "recipe.optimizer is 'sdg'; expected 'sgd', 'adamw'"),
        (
            {"train_images": "all"},
            "recipe.train_images is 'all'; expected a whole number or nothing",
        ),
        ({"crop": None}, "recipe.crop is None; expected 'none', 'pad', 'upsample'"),
    ],
)
def test_bad_settings_are_refused_in_one_sentence(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Recipe().changed(settings)


def test_settings_are_replaced_and_whole_numbers_become_decimals() -> None:
    recipe = Recipe().changed({"epochs": 3, "rotation": 15, "train_images": None})
    assert recipe == Recipe(epochs=3, rotation=15.0)
    assert type(recipe.rotation) is float
    assert Recipe(**json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_an_unknown_preset_is_answered_with_the_known() -> None:
    with pytest.raises(
        SettingsError, match=r"no preset is called 'cifar10-serach'.*did you mean 'cifar10-search'"
    ):
        preset("cifar10-serach")


def test_presets_are_the_papers_where_the_paper_says() -> None:
    search, final = preset("cifar10-search"), preset("cifar10-final")
    assert (search.recipe.epochs, search.recipe.crop, search.recipe.flip) == (20, "upsample", True)
    assert search.skeleton == {"cells_per_stage": 2, "filters": 32}
    assert (final.recipe.epochs, final.recipe.batch_size, final.recipe.learning_rate) == (
        600,
        32,
        0.025,
    )
    assert (
        final.recipe.weight_decay,
        final.recipe.gradient_clip,
        final.recipe.auxiliary_weight,
    ) == (5e-4, 5.0, 0.4)


def test_the_cosine_falls_to_zero_and_the_warm_up_rises() -> None:
    recipe = Recipe(epochs=4, learning_rate=0.2)
    rates = [learning_rate_at(recipe, step, 10) for step in range(40)]
    assert rates[0] == 0.2
    assert rates[20] == pytest.approx(0.1)
    assert rates[-1] == pytest.approx(0.2 * 0.5 * (1 + math.cos(math.pi * 39 / 40)))
    warm = [
        learning_rate_at(Recipe(epochs=4, learning_rate=0.2, warmup_epochs=0.5), step, 10)
        for step in range(40)
    ]
    assert warm[:6] == pytest.approx([0.04, 0.08, 0.12, 0.16, 0.2, 0.2])
    assert {learning_rate_at(Recipe(schedule="constant"), step, 10) for step in range(200)} == {
        0.05
    }


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_only_weights_of_convolutions_and_linear_layers_decay(name: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    optimizer = make_optimizer(network, Recipe().changed({"optimizer": name, "weight_decay": 0.01}))
    decaying, still = optimizer.param_groups
    assert [tuple(p.shape) for p in decaying["params"]] == [(4, 3, 3, 3), (2, 4)]
    assert (decaying["weight_decay"], still["weight_decay"]) == (0.01, 0.0)
    assert len(still["params"]) == 4


def test_a_dataset_knows_its_own_presets_first() -> None:
    from dataclasses import replace

    from nas.training.datasets import presets
    from nas.training.datasets.digits import digits
    from nas.training.recipe import Preset

    mine = replace(
        digits,
        presets={"mine": Preset(Recipe(epochs=1)), "cifar10-quick": Preset(Recipe(epochs=2))},
    )
    assert preset("mine", mine).recipe.epochs == 1
    assert preset("cifar10-quick", mine).recipe.epochs == 2
    assert preset("digits-demo", mine) is presets()["digits-demo"][1]
    with pytest.raises(
        SettingsError,
        match=r"no preset is called 'min'; there are cifar10-16, .*mine; did you mean 'mine'",
    ):
        preset("min", mine)
