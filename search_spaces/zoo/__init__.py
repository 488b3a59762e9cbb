"""Published cells, one JSON file each: the genotype, the skeletons its published counts need, and
where it is from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from search_spaces.cells.genotype import Genotype
from search_spaces.errors import NasError, known_names

Published = Mapping[str, str | float | bool]


@dataclass(frozen=True, slots=True)
class ZooEntry:
    """A published genotype; `skeletons` are settings of `Skeleton` and `published` the figures, by
    skeleton name."""

    name: str
    title: str
    genotype: Genotype
    skeletons: Mapping[str, Mapping[str, str | float | bool]]
    published: Mapping[str, Published]
    source: str


def names() -> list[str]:
    """The name of every published cell."""
    files = (file.name for file in resources.files(__name__).iterdir())
    return sorted(name.removesuffix(".json") for name in files if name.endswith(".json"))


def load(name: str) -> ZooEntry:
    """The published cell of this name."""
    if name not in names():
        raise NasError(known_names(name, names(), "published cell"))
    record = json.loads(
        resources.files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    )
    return ZooEntry(
        name=record["name"],
        title=record["title"],
        genotype=Genotype.from_dict(record["genotype"]),
        skeletons=record["skeletons"],
        published=record["published"],
        source=record["source"],
    )
