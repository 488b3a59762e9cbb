"""Recipes and skeletons for larger data: the published ImageNet ones, and `fit`, which is scaled to
what one has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nas.errors import NasError, SettingsError, known_names
from nas.full_size.fit import RECIPE, fit_recipe, fit_skeleton
from nas.settings import complete
from nas.training.datasets import Dataset
from nas.training.recipe import Recipe
from search_spaces.cells.skeleton import SKELETONS, Skeleton

if TYPE_CHECKING:
    from nas.exporting.choosing import Choice
    from nas.full_size.fitting import Target

# Section A.3 of the NASNet paper: RMSProp with epsilon 1.0, label smoothing, auxiliary head,
# running mean of weights. Departures: the rate falls along a cosine and crops are not distorted in
# aspect beyond 3:4.
_IMAGENET = Recipe(
    epochs=250,
    batch_size=128,
    optimizer="rmsprop",
    learning_rate=0.04,
    momentum=0.9,
    nesterov=False,
    weight_decay=4e-5,
    warmup_epochs=3,
    label_smoothing=0.1,
    gradient_clip=10.0,
    auxiliary_weight=0.4,
    weight_average=0.9999,
    crop="resized",
    flip=True,
    color_jitter=0.4,
)


@dataclass(frozen=True, slots=True)
class TransferPreset:
    """A recipe, the skeleton that goes with it, and the size of images; None leaves it to the
    dataset."""

    recipe: Recipe
    skeleton: Mapping[str, Any]
    image_size: int | None


PRESETS: Mapping[str, TransferPreset] = {
    "imagenet-mobile": TransferPreset(
        _IMAGENET, {**asdict(SKELETONS["imagenet-mobile"]), "auxiliary": True}, 224
    ),
    "imagenet-large": TransferPreset(
        _IMAGENET.changed({"weight_decay": 5e-5}),
        {**asdict(SKELETONS["imagenet-large"]), "auxiliary": True},
        331,
    ),
    "fit": TransferPreset(RECIPE, {}, None),
}


def transfer_preset(name: str) -> TransferPreset:
    """The preset of this name."""
    if name not in PRESETS:
        raise SettingsError(known_names(name, PRESETS, "preset of transfer"))
    return PRESETS[name]


def transfer_recipe(name: str, dataset: Dataset) -> Recipe:
    """The recipe of a preset, scaled to the dataset where it is `fit`."""
    return fit_recipe(dataset) if name == "fit" else transfer_preset(name).recipe


def transfer_skeleton(
    choice: Choice,
    dataset: Dataset,
    preset: str,
    settings: Mapping[str, Any],
    target: Target | None,
) -> Skeleton:
    """The skeleton of a choice on a dataset: the preset's with the cell's conventions and what its
    genotype chose, scaled to a target. The data say how large pictures are."""
    single = {cell.inputs for cell in choice.genotype.cells.values()} == {1}
    if single and preset != "fit":
        raise NasError(
            f"a cell with one input has its own skeleton and does not fit preset {preset!r}; use "
            "--preset fit"
        )
    data = {
        "classes": dataset.classes,
        "image_size": dataset.image_size,
        "channels": dataset.channels,
    }
    own = (
        fit_skeleton(dataset.image_size, single=single)
        if preset == "fit"
        else PRESETS[preset].skeleton
    )
    chosen = choice.genotype.settings_of("skeleton")
    given = {**own, **_conventions(choice), **chosen, **data, **settings}
    skeleton = Skeleton(**complete(Skeleton, given, "skeleton"))
    if target is None:
        return skeleton
    from nas.full_size.fitting import fitted  # torch counts what a network costs

    return fitted(choice.genotype, skeleton, target)


def _conventions(choice: Choice) -> dict[str, Any]:
    """How a published cell's network reads its operations."""
    if choice.entry is None:
        return {}
    from nas.full_size.settings import CONVENTIONS

    published: Mapping[str, Any] = next(iter(choice.entry.skeletons.values()))
    return {name: published[name] for name in CONVENTIONS if name in published}
