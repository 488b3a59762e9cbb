"""A space of cells whose search decides settings of the skeleton and the recipe too: its genotypes
carry what they chose (stdlib only)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Final, final

from search_spaces.cells import Setting
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton, check_setting
from search_spaces.cells.space import Choices, Decision, SearchSpace
from search_spaces.errors import SpaceError, shortened

if TYPE_CHECKING:
    import torch
    from torch import nn

TABLES: Final = ("skeleton", "recipe")


def skeleton_of(genotype: Genotype, skeleton: Skeleton) -> Skeleton:
    """The skeleton with what the genotype chose of it."""
    chosen = genotype.settings_of("skeleton")
    return replace(skeleton, **chosen) if chosen else skeleton  # type: ignore[arg-type]


@final
class DecidedSettings(SearchSpace):
    """The decisions of a space of cells, and one for each setting that was given several values.

    Everything else is that space's: its name, cells, networks and flaws. A value that is no whole
    number or text is an option under its JSON text (`0.05`, `true`); genotypes carry the value.

    Args:
        space: where the cells are drawn from.
        settings: the values of each setting, `{"skeleton.filters": [16, 24, 32]}`.
    """

    def __init__(self, *, space: SearchSpace, settings: Mapping[str, Sequence[Setting]]) -> None:
        self.name = space.name  # type: ignore[misc] # of the space that it stands for
        self.cells = space
        if space.decode([0] * len(space.decisions)).choices is not None:
            raise SpaceError(
                f"genotypes of space {space.name!r} have choices and no cells, so there is no "
                f"network whose {', '.join(settings)} could be decided: give one value, or none"
            )
        self.settings = {name: tuple(values) for name, values in settings.items()}
        for name, values in self.settings.items():
            check_setting(name)
            if len(set(map(_option, values))) < max(2, len(values)):
                raise SpaceError(
                    f"{name} has the values {shortened(list(values))}; expected two or more, all "
                    "different"
                )
        self._decisions = (
            *space.decisions,
            *(Decision(name, tuple(map(_option, self.settings[name]))) for name in self.settings),
        )

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Those of the cells, then the settings."""
        return self._decisions

    @property
    def architectures(self) -> int:
        """As many as there are cells, times the ways to set what is decided."""
        return self.cells.architectures * (self.size // self.cells.size)

    def decode(self, choices: Sequence[int]) -> Genotype:
        """The cells that these choices stand for, with their settings."""
        answers = self.checked(choices)
        count = len(self.cells.decisions)
        pairs = zip(self.settings.items(), answers[count:], strict=True)
        chosen = {name: values[answer] for (name, values), answer in pairs}
        return replace(self.cells.decode(answers[:count]), settings=chosen)

    def encode(self, genotype: Genotype) -> Choices:
        """The choices of the cells, and of every setting."""
        cells = self.cells.encode(replace(genotype, settings={}))
        if set(genotype.settings) != set(self.settings):
            raise SpaceError(
                f"the genotype chose {', '.join(genotype.settings) or 'no settings'}; this search "
                f"decides {', '.join(self.settings)}"
            )
        places = [
            _place_of(name, genotype.settings[name], decision.options)
            for name, decision in zip(self.settings, self._decisions[len(cells) :], strict=True)
        ]
        return (*cells, *places)

    def build(
        self, genotype: Genotype, skeleton: Skeleton, generator: torch.Generator | None = None
    ) -> nn.Module:
        """The network in this skeleton with what the genotype chose of it."""
        cells = replace(genotype, settings={})
        return self.cells.build(cells, skeleton_of(genotype, skeleton), generator)

    def flaw(self, genotype: Genotype) -> str | None:
        """Why the cells are no architecture."""
        return self.cells.flaw(replace(genotype, settings={}))

    def combinations(self) -> Iterator[dict[str, Setting]]:
        """Every way to set what is decided."""
        for values in product(*self.settings.values()):
            yield dict(zip(self.settings, values, strict=True))


def _option(value: Setting) -> int | str:
    """How a value is called among the options of a decision."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    return json.dumps(value)


def _place_of(name: str, value: Setting, options: tuple[int | str, ...]) -> int:
    option = _option(value)
    if option not in options:
        raise SpaceError(
            f"the genotype has {name} {shortened(value)}; this search chooses from "
            f"{', '.join(map(str, options))}"
        )
    return options.index(option)
