"""Scales a skeleton to a budget of multiply-adds or parameters: the widest that does not exceed it,
and, where networks must agree closely, a wider stem for what whole filters leave over."""

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
    """What a network may cost at most; one of the two is given.

    Args:
        within: by how many per cent it may fall short; None is as far as whole filters do.
    """

    macs: int | None = None
    params: int | None = None
    within: float | None = None

    def __post_init__(self) -> None:
        if (self.macs is None) == (self.params is None):
            raise NasError(
                "a network is fitted to multiply-adds or to parameters: give one of the two targets"
            )
        for name, value in (("macs", self.macs), ("params", self.params)):
            if value is not None and value < 1:
                raise NasError(f"--target-{name} is {value}; expected a whole number above 0")
        if self.within is not None and not 0 < self.within < 100:
            raise NasError(f"--within is {self.within:g}; expected a percentage above 0, below 100")

    @property
    def limit(self) -> int:
        """The number itself."""
        return self.macs or self.params or 0

    @property
    def name(self) -> str:
        """What is limited."""
        return "macs" if self.macs is not None else "params"

    def falls_short(self, spent: int) -> bool:
        """Whether a network costs less than it has to."""
        return self.within is not None and spent < self.limit * (1 - self.within / 100)


def fitted(genotype: Genotype, skeleton: Skeleton, target: Target) -> Skeleton:
    """The skeleton with as many filters as the target allows; where that falls short of it by more
    than it may, with a wider stem too."""

    def cost(filters: int) -> int:
        return _cost(genotype, replace(skeleton, filters=filters), target)

    step = _STEP_ON_IMAGENET if skeleton.layout == "imagenet" else 1
    sized = replace(skeleton, filters=widest(cost, target, step))
    return _filled(genotype, sized, target) if target.falls_short(cost(sized.filters)) else sized


def _filled(genotype: Genotype, skeleton: Skeleton, target: Target) -> Skeleton:
    """The skeleton with the widest stem that fits, where its stem has a width of its own."""

    def cost(stem: int) -> int:
        return _cost(genotype, replace(skeleton, stem_filters=stem), target)

    stem = skeleton.stem_width if skeleton.layout == "nasbench201" else widest(cost, target)
    if target.falls_short(cost(stem)):
        raise NasError(
            f"{cost(stem):,} {target.name} are as close as this network comes to the "
            f"{target.limit:,} asked for: more than {target.within:g} % below; raise --within"
        )
    return replace(skeleton, stem_filters=stem)


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
