"""What surrounds the cells: stem, widths, head, and conventions in which published networks differ
(stdlib only)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal

from search_spaces.errors import GenotypeError, NetworkError, known_names, shortened

Role = Literal["normal", "reduction"]

_LARGEST = {
    "cells_per_stage": 100,
    "filters": 8192,
    "stem_filters": 8192,
    "classes": 1_000_000,
    "image_size": 8192,
    "channels": 1024,
    "drop_path_steps": 10**12,
}
_OPTIONS = {
    "layout": ("cifar", "imagenet", "nasbench201"),
    "op_semantics": ("literal", "nds", "tpu"),
    "reduction": ("extra", "replace"),
    "first_input": ("raw", "stem"),
    "auxiliary_at": ("middle-stage", "second-reduction"),
    "alignment": ("same", "symmetric"),
    "average_divisor": ("real", "padded"),
    "max_padding": ("-inf", "zero"),
    "factorized_path": ("pad-crop", "crop"),
}
_NAME = re.compile(r"(skeleton|recipe)\.[a-z][a-z_0-9]{0,60}")
_NO_DECISIONS = {
    "skeleton.layout": "the space says it",
    "skeleton.classes": "the data say it",
    "skeleton.channels": "the data say it",
    "skeleton.drop_path_steps": "the length of the training says it",
    "recipe.epochs": "more are nearly always better; for short trainings there is --fidelity",
    "recipe.train_images": "more images are nearly always better",
}
_SMALLEST_IMAGE = {"cifar": 4, "imagenet": 8, "nasbench201": 4}
AUXILIARY_POOL, AUXILIARY_STRIDE = 5, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """A checked set of plain settings; with a genotype it determines a network. Defaults: CIFAR, N
    = 6, F = 32.

    Args:
        layout: `cifar`, `imagenet` (two more reduction cells in the stem) or `nasbench201` (its own
            skeleton).
        cells_per_stage: N, the normal cells of each of the three stages.
        filters: F, the filters of the first stage; each reduction doubles them.
        stem_filters: width of the stem; None is 3F (cifar), 32 (imagenet) or F (nasbench201).
        auxiliary_at: `middle-stage` (its last normal cell) or `second-reduction` (DARTS).
        op_semantics: what a few operations mean: `literal`, `nds` (unnas, NNI, DARTS) or `tpu`
            (AmoebaNet).
        reduction: `extra` cells between stages, or `replace` each stage's first cell by its strided
            copy (PNASNet).
        skip_reduction_input: after a reduction, `prev` is what the reduction had as `prev` (extra);
            with `replace` it concerns the strided cell itself, whose `prev` is then the output
            before its `cur`, as for any cell.
        first_input: what is `prev` of the first cell: the `raw` input of the cell, or the `stem`
            once more (DARTS).
        always_fit: convolve `prev` even where its shape fits already (timm, DARTS).
        drop_path_keep: what ScheduledDropPath keeps of each path in the last cell at the end of
            training.
        drop_path_steps: length of that schedule; 0 means that there is none and nothing is dropped.
        drop_path_depth: whether deeper cells drop more; AmoebaNet's do not.
        dropout_keep: what dropout keeps in front of the classifier.
        alignment: stride-2 padding, `same` as TensorFlow or `symmetric` as PyTorch code has it.
        average_divisor: at stride 2, `real` pixels only or `padded` zeros too (timm, Keras).
        max_padding: at stride 2, `-inf` or `zero` (Keras).
        factorized_path: second path of a factorized reduction: `pad-crop`, or `crop` (even maps
            only, DARTS).
    """

    layout: str = "cifar"
    cells_per_stage: int = 6
    filters: int = 32
    stem_filters: int | None = None
    classes: int = 10
    image_size: int = 32
    channels: int = 3
    auxiliary: bool = False
    auxiliary_at: str = "middle-stage"
    op_semantics: str = "literal"
    reduction: str = "extra"
    skip_reduction_input: bool = False
    first_input: str = "raw"
    always_fit: bool = False
    relu_before_pool: bool = True
    bn_eps: float = 1e-5
    bn_momentum: float = 0.1
    drop_path_keep: float = 1.0
    drop_path_steps: int = 0
    drop_path_depth: bool = True
    dropout_keep: float = 1.0
    alignment: str = "same"
    average_divisor: str = "real"
    max_padding: str = "-inf"
    factorized_path: str = "pad-crop"

    def __post_init__(self) -> None:
        for name, options in _OPTIONS.items():
            _check_option(name, getattr(self, name), options)
        for name, largest in _LARGEST.items():
            _check_whole(name, getattr(self, name), largest)
        for name in _BOOLEANS:
            _check_boolean(name, getattr(self, name))
        for name in ("drop_path_keep", "dropout_keep", "bn_eps", "bn_momentum"):
            _check_share(name, getattr(self, name))
        self._check_sizes()

    @property
    def stem_width(self) -> int:
        """The channels that leave the stem convolution."""
        if self.stem_filters is not None:
            return self.stem_filters
        return {"cifar": 3 * self.filters, "imagenet": 32, "nasbench201": self.filters}[self.layout]

    @property
    def stem_map(self) -> int:
        """The side of the map that leaves the stem convolution (stride 2, VALID, on ImageNet)."""
        return (self.image_size - 3) // 2 + 1 if self.layout == "imagenet" else self.image_size

    @property
    def auxiliary_map(self) -> int:
        """The side of the map the auxiliary head reads."""
        halvings = 1 + 2 * (self.layout == "imagenet") + (self.auxiliary_at == "second-reduction")
        return -(-self.stem_map >> halvings)

    @property
    def auxiliary_kernel(self) -> int:
        """The side of what the auxiliary head's pooling leaves, which its last convolution
        covers."""
        return (self.auxiliary_map - AUXILIARY_POOL) // AUXILIARY_STRIDE + 1

    @property
    def drops_paths(self) -> bool:
        """Whether ScheduledDropPath is on while training."""
        return self.drop_path_keep < 1 and self.drop_path_steps > 0

    def _check_sizes(self) -> None:
        smallest = _SMALLEST_IMAGE[self.layout]
        if self.image_size < smallest:
            raise NetworkError(
                f"image_size {self.image_size} is too small for the {self.layout} layout; it "
                f"needs at least {smallest}"
            )
        if self.layout == "imagenet" and self.filters < 4:
            raise NetworkError(
                f"filters {self.filters} leave the first stem cell int(F/4) = 0 filters; "
                "the imagenet layout needs at least 4"
            )
        if self.layout == "nasbench201" and self.stem_width != self.filters:
            raise NetworkError(
                "the stem of the nasbench201 layout is as wide as its first cells; leave "
                f"stem_filters out, or set it to {self.filters}"
            )
        if self.auxiliary and self.layout == "nasbench201":
            raise NetworkError(
                "the nasbench201 layout has no auxiliary head; set auxiliary to false"
            )
        if self.layout == "nasbench201" and (self.drops_paths or self.dropout_keep < 1):
            raise NetworkError(
                "the nasbench201 layout has neither drop-path nor dropout; leave both keeps at 1.0"
            )
        if self.auxiliary and self.auxiliary_map < AUXILIARY_POOL:
            raise NetworkError(
                f"the auxiliary head needs a map of at least {AUXILIARY_POOL}x{AUXILIARY_POOL}, "
                f"but at image_size {self.image_size} its map is "
                f"{self.auxiliary_map}x{self.auxiliary_map}; "
                "use larger images or set auxiliary to false"
            )


_BOOLEANS = tuple(field.name for field in fields(Skeleton) if field.type == "bool")


def check_setting(name: object) -> None:
    """Refuse what no genotype may choose: a setting of the skeleton or the recipe, by its whole
    name."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise GenotypeError(
            f"{shortened(name)} is no setting of a genotype; expected one of the skeleton or the "
            "recipe, as 'skeleton.filters'"
        )
    if name in _NO_DECISIONS:
        raise GenotypeError(f"{name} is no decision of a search: {_NO_DECISIONS[name]}")
    table, _, setting = name.partition(".")
    known = [field.name for field in fields(Skeleton)]
    if table == "skeleton" and setting not in known:
        raise GenotypeError(known_names(setting, known, "setting of the skeleton"))


def _check_option(name: str, value: object, options: tuple[str, ...]) -> None:
    if value not in options:
        raise NetworkError(known_names(value, options, name))


def _check_whole(name: str, value: object, largest: int) -> None:
    if name == "stem_filters" and value is None:
        return
    smallest = 0 if name == "drop_path_steps" else 1
    if isinstance(value, bool) or not isinstance(value, int) or not smallest <= value <= largest:
        raise NetworkError(
            f"{name} must be a whole number from {smallest} to {largest}, but is {shortened(value)}"
        )


def _check_boolean(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise NetworkError(f"{name} must be true or false, but is {shortened(value)}")


def _check_share(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise NetworkError(
            f"{name} must be a number above 0 and at most 1, but is {shortened(value)}"
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where one cell stands: its role, its width, and how many outputs back its `prev` is (None: it
    has none)."""

    role: Role
    filters: int
    stride: int
    back: int | None = 2
    stage: int = 0  # 0 is the ImageNet stem, 1 to 3 the stages


def stack(skeleton: Skeleton) -> tuple[Place, ...]:
    """The cells from stem to head. Each one's `cur` is the last output, one back; the stem gives
    the first output."""
    filters = skeleton.filters
    places = []
    if skeleton.layout == "imagenet":
        places += [Place("reduction", filters // 4, 2), Place("reduction", filters // 2, 2)]
    for stage in (1, 2, 3):
        places += _stage(skeleton, stage, filters * 2 ** (stage - 1))
    outputs_before = range(1, len(places) + 1)
    places = [
        replace(place, back=min(place.back or 1, before))
        for place, before in zip(places, outputs_before, strict=True)
    ]
    if skeleton.first_input == "raw":
        places[0] = replace(places[0], back=None)
    return tuple(places)


def auxiliary_index(skeleton: Skeleton) -> int:
    """The cell (an index into the stack) whose output the auxiliary head reads."""
    places = stack(skeleton)
    role, stage = ("reduction", 3) if skeleton.auxiliary_at == "second-reduction" else (None, 2)
    return max(
        i for i, place in enumerate(places) if place.stage == stage and role in (None, place.role)
    )


def _stage(skeleton: Skeleton, stage: int, filters: int) -> list[Place]:
    normal = [Place("normal", filters, 1, stage=stage)] * skeleton.cells_per_stage
    if stage == 1:
        return normal
    skip = skeleton.skip_reduction_input
    if skeleton.reduction == "replace":
        # Without skip, slim's PNASNet gives a strided cell the `prev` of the cell before it.
        return [Place("reduction", filters, 2, 2 if skip else 3, stage), *normal[1:]]
    after = Place("normal", filters, 1, 3 if skip else 2, stage)
    return [Place("reduction", filters, 2, stage=stage), after, *normal[1:]]


SKELETONS: Mapping[str, Skeleton] = {
    "cifar": Skeleton(drop_path_keep=0.6),
    "imagenet-mobile": Skeleton(
        layout="imagenet",
        cells_per_stage=4,
        filters=44,
        stem_filters=32,
        classes=1000,
        image_size=224,
        bn_eps=1e-3,
        bn_momentum=0.0003,
        dropout_keep=0.5,
    ),
    "imagenet-large": Skeleton(
        layout="imagenet",
        cells_per_stage=6,
        filters=168,
        stem_filters=96,
        classes=1000,
        image_size=331,
        skip_reduction_input=True,
        bn_eps=1e-3,
        bn_momentum=0.0003,
        drop_path_keep=0.7,
        dropout_keep=0.5,
    ),
    "nasbench201": Skeleton(layout="nasbench201", cells_per_stage=5, filters=16),
}
"""The published skeletons. Their drop-path schedule is off until a recipe sets its length,
`drop_path_steps`."""
