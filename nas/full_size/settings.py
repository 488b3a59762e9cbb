"""What a retraining or a transfer is asked to do, from a preset and what the user set on top."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from typing import Any

from nas.evaluators.train import child_settings
from nas.exporting.choosing import Choice
from nas.full_size.fit import fit_recipe, fit_skeleton
from nas.full_size.trainings import Here, Place, Setting
from nas.settings import complete
from nas.training.computation import Computation, Precision, chosen_device, usable_cores
from nas.training.datasets import Dataset
from nas.training.recipe import Recipe
from search_spaces.cells.decided_settings import skeleton_of
from search_spaces.cells.skeleton import Skeleton

# How a published network reads its operations: this goes with a genotype wherever it goes.
CONVENTIONS = (
    "op_semantics",
    "reduction",
    "skip_reduction_input",
    "first_input",
    "always_fit",
    "relu_before_pool",
    "auxiliary_at",
    "drop_path_depth",
    "alignment",
    "average_divisor",
    "max_padding",
    "factorized_path",
)


def full_size(
    choice: Choice,
    dataset: Dataset,
    preset: str,
    skeleton: Mapping[str, Any],
    recipe: Mapping[str, Any],
) -> tuple[Skeleton, Recipe]:
    """The skeleton of a choice on a dataset, with what its genotype chose and the conventions of a
    published cell; and the recipe of all choices."""
    single = {cell.inputs for cell in choice.genotype.cells.values()} == {1}
    space = "nasbench201" if single else choice.genotype.space
    if preset == "fit":
        found, settled = _fitting(choice, dataset, single=single), fit_recipe(dataset)
    else:
        found, settled = child_settings(dataset, space, preset, _conventions(choice), {})
    if single:
        found = dataclasses.replace(found, auxiliary=False, drop_path_keep=1.0, dropout_keep=1.0)
    found = skeleton_of(choice.genotype, found)
    typed = complete(Skeleton, {**dataclasses.asdict(found), **skeleton}, "skeleton")
    return Skeleton(**typed), changed(settled, recipe)


def _fitting(choice: Choice, dataset: Dataset, *, single: bool) -> Skeleton:
    """A skeleton scaled to the dataset."""
    data = {
        "classes": dataset.classes,
        "image_size": dataset.image_size,
        "channels": dataset.channels,
    }
    own = fit_skeleton(dataset.image_size, single=single)
    return Skeleton(**complete(Skeleton, {**own, **_conventions(choice), **data}, "skeleton"))


def changed(recipe: Recipe, given: Mapping[str, Any]) -> Recipe:
    """A recipe with some settings replaced; words of the command line are read as TOML would."""
    return recipe.changed({name: _value(value) for name, value in given.items()})


def _value(word: object) -> object:
    if not isinstance(word, str):
        return word
    if word in ("none", "None", "null"):
        return None
    try:
        return tomllib.loads(f"x = {word}")["x"]
    except tomllib.TOMLDecodeError:
        return str(word)


def _conventions(choice: Choice) -> dict[str, Any]:
    if choice.entry is not None:
        known: Mapping[str, Any] = next(iter(choice.entry.skeletons.values()))
        return {name: known[name] for name in CONVENTIONS if name in known}
    trained = None if choice.weights is None else choice.weights.skeleton
    if trained is not None:
        return {name: getattr(trained, name) for name in CONVENTIONS}
    searched = {name: value for name, value in choice.searched_in.items() if name in CONVENTIONS}
    return {
        name: value
        for name, value in complete(Skeleton, searched, "skeleton").items()
        if name in searched
    }


def setting_of(
    dataset: Dataset,
    recipe: Recipe,
    *,
    device: str = "auto",
    threads: int | None = None,
    precision: Precision = "fp32",
    checkpoint_seconds: float = 60.0,
    place: Place | None = None,
) -> Setting:
    """What all seeds share."""
    return Setting(
        dataset=dataset,
        fingerprint=dataset.fingerprint,
        recipe=recipe,
        computation=Computation(chosen_device(device), threads or usable_cores(), precision),
        checkpoint_seconds=checkpoint_seconds,
        place=place or Here(),
    )
