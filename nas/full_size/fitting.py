"""Scales a skeleton to a budget of multiply-adds or parameters: the widest that does not exceed
it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from nas.errors import NasError
from search_spaces.cells.cost import macs, network_on_meta, params
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton

_STEP_ON_IMAGENET = (
    4  # so that a quarter of the filters, the width of the first stem cell, is whole
)
_WIDEST = 2048


@dataclass(frozen=True, slots=True)
class Target:
    """What a network may cost at most; one of the two is given."""

    macs: int | None = None
    params: int | None = None

    def __post_init__(self) -> None:
        if (self.macs is None) == (self.params is None):
            raise NasError(
                "a network is fitted to multiply-adds or to parameters: give one of the two targets"
            )
        for name, value in (("macs", self.macs), ("params", self.params)):
            if value is not None and value < 1:
                raise NasError(f"--target-{name} is {value}; expected a whole number above 0")

    @property
    def limit(self) -> int:
        """The number itself."""
        return self.macs or self.params or 0

    @property
    def name(self) -> str:
        """What is limited."""
        return "macs" if self.macs is not None else "params"


def fitted(genotype: Genotype, skeleton: Skeleton, target: Target) -> Skeleton:
    """The skeleton with as many filters as the target allows."""

    def cost(filters: int) -> int:
        return _cost(genotype, replace(skeleton, filters=filters), target)

    step = _STEP_ON_IMAGENET if skeleton.layout == "imagenet" else 1
    return replace(skeleton, filters=widest(cost, target, step))


def widest(cost: Callable[[int], int], target: Target, step: int = 1) -> int:
    """The largest width, a multiple of the step, whose cost is within the target; costs rise with
    the width."""
    low, high = 0, 1
    while high * step < _WIDEST and cost(high * step) <= target.limit:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(middle * step) <= target.limit else (low, middle)
    if low == 0:
        raise NasError(
            f"the smallest network has {cost(step):,} {target.name}, more than the "
            f"{target.limit:,} asked for; "
            f"raise --target-{target.name}, or lower skeleton.cells_per_stage or the image size"
        )
    return low * step


def _cost(genotype: Genotype, skeleton: Skeleton, target: Target) -> int:
    network = network_on_meta(genotype, replace(skeleton, auxiliary=False))
    if target.name == "params":
        return params(network)
    return macs(network, (skeleton.channels, skeleton.image_size, skeleton.image_size))
