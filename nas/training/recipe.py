"""Recipes: every setting that decides how a network is trained; a preset is one with a skeleton."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from nas.errors import SettingsError, known_names, shortened

SMALLEST_IMAGENET_IMAGE = 96  # below, the ImageNet stem would leave too little of an image


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is trained; two networks trained by equal recipes may be compared.

    Args:
        micro_batch: images at a time where a batch does not fit: gradients add up, batch norms do
            not.
        train_images: learn from so many images only, every class alike.
        weight_decay: of convolution and linear weights only (NASNet's code does the same).
        warmup_epochs: over which the learning rate rises.
        gradient_clip: largest norm of all gradients together; 0 leaves them alone.
        auxiliary_weight: of the loss of an auxiliary head, where the skeleton has one.
        weight_average: decay of the running mean of weights that is judged and kept; 0 keeps the
            last ones.
        crop: `upsample` as in the NASNet paper: 32 -> 40 -> a crop of 32; `resized`: any part of
            the image, at its own shape.
        crop_margin: pixels around an image that is padded.
        smallest_crop: share of the image's area, where the crop is resized.
        flip: left and right, every other time.
        cutout: side of the square that is blanked.
        rotation: degrees to either side.
        shift: share of the width and the height to either side.
        shear: degrees to either side.
        zoom: 0.1 is from 0.9 to 1.1 times.
        color_jitter: brightness, contrast and saturation, from 1 - so much to 1 + so much times.
    """

    epochs: int = 20
    batch_size: int = 64
    micro_batch: int | None = None
    train_images: int | None = None

    optimizer: Literal["sgd", "adamw", "rmsprop"] = "sgd"
    learning_rate: float = 0.05
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_epochs: float = 0.0
    label_smoothing: float = 0.0
    gradient_clip: float = 5.0
    auxiliary_weight: float = 0.4
    weight_average: float = 0.0

    crop: Literal["none", "pad", "upsample", "resized"] = "none"
    crop_margin: int = 4
    smallest_crop: float = 0.08
    flip: bool = False
    cutout: int = 0
    rotation: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    color_jitter: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values that no training could use; a whole number is welcome where a decimal one
        is expected."""
        for name, value in asdict(self).items():
            if _HINTS[name] is float and isinstance(value, int) and not isinstance(value, bool):
                object.__setattr__(self, name, float(value))
            else:
                _check_type(name, value)
        for name, (lowest, highest) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not lowest <= value <= highest:
                raise SettingsError(f"recipe.{name} is {value}; expected {lowest:g} to {highest:g}")

    @property
    def is_affine(self) -> bool:
        """Whether images are turned, moved, sheared or scaled."""
        return self.crop == "resized" or any((self.rotation, self.shift, self.shear, self.zoom))

    def to_dict(self) -> dict[str, Any]:
        """All settings, as JSON takes them."""
        return asdict(self)

    def changed(self, settings: Mapping[str, Any]) -> Recipe:
        """This recipe with some settings replaced, checked by name, type and range."""
        for name in settings:
            if name not in _HINTS:
                raise SettingsError(known_names(name, _HINTS, "setting of the recipe"))
        return replace(self, **settings)


_HINTS: Mapping[str, Any] = {
    hint: kind for hint, kind in get_type_hints(Recipe).items() if hint != "return"
}
_RANGES: Mapping[str, tuple[float, float]] = {
    "epochs": (1, 100_000),
    "batch_size": (1, 1_000_000),
    "micro_batch": (1, 1_000_000),
    "train_images": (1, 100_000_000),
    "learning_rate": (0, 1_000),
    "momentum": (0, 0.9999),
    "weight_decay": (0, 10),
    "warmup_epochs": (0, 100_000),
    "label_smoothing": (0, 0.99),
    "gradient_clip": (0, 1e9),
    "auxiliary_weight": (0, 100),
    "weight_average": (0, 0.999999),
    "crop_margin": (0, 512),
    "smallest_crop": (0.01, 1),
    "cutout": (0, 1_024),
    "rotation": (0, 180),
    "shift": (0, 1),
    "shear": (0, 80),
    "zoom": (0, 0.9),
    "color_jitter": (0, 1),
}


def _check_type(name: str, value: Any) -> None:
    hint = _HINTS[name]
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for kind in kinds:
        if get_origin(kind) is Literal:
            if value in get_args(kind):
                return
        elif isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
            return
    raise SettingsError(f"recipe.{name} is {shortened(value)}; expected {_spelled(kinds)}")


def _spelled(kinds: tuple[Any, ...]) -> str:
    words = {int: "a whole number", float: "a number", bool: "true or false", type(None): "nothing"}
    return " or ".join(
        words[kind] if kind in words else ", ".join(repr(option) for option in get_args(kind))
        for kind in kinds
    )


@dataclass(frozen=True, slots=True)
class Preset:
    """A recipe with the skeleton it was made for; datasets carry theirs."""

    recipe: Recipe
    skeleton: Mapping[str, Any] = field(default_factory=dict)
