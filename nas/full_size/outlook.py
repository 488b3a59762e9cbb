"""What a retraining or a transfer is about to do, in three lines: data, networks, and an
estimate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from nas.full_size.trainings import WEIGHTS, Here, Setting
from nas.training.forecast import data_told, network_told, seconds_of_epoch
from search_spaces.cells.cost import Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """Trainings of one network, which differ by their seeds alone.

    Args:
        make: such a network, to be timed; None where epochs cost next to nothing.
        folders: of the trainings, those that are done among them.
    """

    name: str
    cost: Cost
    make: Callable[[], nn.Module] | None
    setting: Setting
    folders: Sequence[Path]

    @property
    def epochs(self) -> int:
        """How many epochs are told of, in all."""
        return len(self.folders) * (self.setting.recipe.epochs if self.make else 1)

    @property
    def left(self) -> int:
        """How many epochs of trainings that have not ended are worth timing."""
        if self.make is None:
            return 0
        begun = sum(not (folder / WEIGHTS).is_file() for folder in self.folders)
        return begun * self.setting.recipe.epochs


def outlook_of(legs: Sequence[Leg]) -> Iterator[tuple[str, str]]:
    """Each line by its word."""
    for setting in dict.fromkeys(leg.setting.dataset.name for leg in legs):
        leg = next(leg for leg in legs if leg.setting.dataset.name == setting)
        yield "data", data_told(leg.setting.dataset, leg.setting.data())
    for leg in legs:
        yield "network", f"{leg.name}: {network_told(leg.cost, leg.setting.computation)}"
    yield from _other_sizes([leg.setting.dataset.image_size for leg in legs])


def _other_sizes(sizes: Sequence[int]) -> Iterator[tuple[str, str]]:
    """A body that learns from smaller or larger pictures than it is used on; it comes first."""
    first, last = sizes[0], sizes[-1]
    if first != last:
        yield (
            "note",
            f"bodies learn from {first}x{first} pictures and are used on {last}x{last}, for which "
            f"their batch norms may not be right; --pretrain-size {last} resizes the former",
        )


def seconds_of(legs: Sequence[Leg]) -> tuple[float, float] | None:
    """The least and the most that all epochs which are left may take, from a few steps of each
    network; None where that cannot be said here."""
    least = most = 0.0
    for leg in legs:
        if leg.make is None or not leg.left:
            continue
        if not isinstance(leg.setting.place, Here):
            return None
        data = leg.setting.data()
        epoch = seconds_of_epoch(leg.make(), data, leg.setting.recipe, leg.setting.computation)
        if epoch is None:
            return None
        least, most = least + leg.left * epoch[0], most + leg.left * epoch[1]
    return (least, most) if most else None
