"""Which skeleton a genotype is looked at in: a preset's settings, those of a published cell, and
what the user set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nas.errors import NasError, known_names
from nas.settings import complete
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import SKELETONS, Skeleton

if TYPE_CHECKING:
    from search_spaces.zoo import ZooEntry

_NOTABLE = ("cells_per_stage", "filters", "classes", "image_size")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A skeleton, the preset it began as, and where that preset's settings are from."""

    name: str
    skeleton: Skeleton
    origin: str
    published: bool  # whether the published figures are about this very skeleton

    def notable(self) -> dict[str, Any]:
        """The settings that say most, and every other that is not as usual."""
        usual, own = asdict(Skeleton()), asdict(self.skeleton)
        return {
            name: value for name, value in own.items() if name in _NOTABLE or value != usual[name]
        }

    def to_dict(self) -> dict[str, Any]:
        """As JSON: every setting of the skeleton."""
        return {"name": self.name, "origin": self.origin, **asdict(self.skeleton)}


def surroundings(
    genotype: Genotype, name: str | None, settings: Mapping[str, Any], entry: ZooEntry | None = None
) -> Surroundings:
    """The skeleton of a preset's name, with the published settings where the zoo has them, and
    with what the genotype chose; `settings` win.

    Args:
        name: None is `cifar`, or `nasbench201` for cells with one input.
        settings: options of `Skeleton`, as `nas.settings.assignments` reads them.
    """
    chosen = _preset(name, entry) if name else _usual(genotype)
    if entry is not None and chosen in entry.skeletons:
        known, origin = (
            {**asdict(Skeleton()), **entry.skeletons[chosen]},
            f"published settings of {entry.name}",
        )
    else:
        known, origin = asdict(SKELETONS[chosen]), "general settings"
    own = genotype.settings_of("skeleton")
    published = entry is not None and chosen in entry.skeletons and not settings and not own
    if own:
        origin += f", with what the genotype chose ({', '.join(own)})"
    if settings:
        origin += f", with your {', '.join(settings)}"
    skeleton = Skeleton(**complete(Skeleton, {**known, **own, **settings}, "skeleton"))
    return Surroundings(chosen, skeleton, origin, published)


def _usual(genotype: Genotype) -> str:
    inputs = {cell.inputs for cell in genotype.cells.values()}
    return "nasbench201" if inputs == {1} else "cifar"


def _preset(name: str, entry: ZooEntry | None) -> str:
    known = {**SKELETONS, **(entry.skeletons if entry else {})}
    if name in known:
        return name
    beginnings = [full for full in known if name and full.startswith(name)]
    if len(beginnings) == 1:
        return beginnings[0]
    if beginnings:
        raise NasError(f"skeleton {name!r} is ambiguous: it begins {', '.join(sorted(beginnings))}")
    raise NasError(known_names(name, known, "skeleton"))
