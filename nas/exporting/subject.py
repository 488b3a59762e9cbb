"""What is exported: a genotype in a skeleton, its network with weights, and what is known of where
both come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nas.seeding import torch_rng
from search_spaces.cells.genotype import Cell, Genotype
from search_spaces.cells.network import NasBench201Network, Network, build_network
from search_spaces.cells.skeleton import Skeleton

_RESULTS = ("score", "data fingerprint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One network to hand over.

    Args:
        title: what it is called.
        origin: where the genotype comes from (study, trial, score; or a publication).
        trained: what its weights belong to (dataset, recipe, accuracies); empty where they are
            random.
        classes: the names of the classes, where they have any.
        mean, std: of the training pixels in 0..1; empty where they are unknown.
    """

    title: str
    genotype: Genotype
    skeleton: Skeleton
    network: Network | NasBench201Network
    origin: Mapping[str, Any] = field(default_factory=dict)
    trained: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def cells(self) -> dict[str, Cell]:
        """The cells that occur in the network."""
        roles = ("normal",) if self.skeleton.layout == "nasbench201" else ("normal", "reduction")
        return {role: self.genotype.cells[role] for role in roles}

    @property
    def pixels_unknown(self) -> bool:
        """Whether the weights are trained on pixels of which nobody knows mean and deviation."""
        return bool(self.trained) and not (self.mean and self.std)

    @property
    def shape(self) -> tuple[int, int, int]:
        """An image: channels, rows, columns."""
        return self.skeleton.channels, self.skeleton.image_size, self.skeleton.image_size


def without_results(origin: Mapping[str, Any]) -> dict[str, Any]:
    """Where a genotype comes from, without what was measured with weights that are not here."""
    return {
        name: value
        for name, value in origin.items()
        if name not in _RESULTS and not name.endswith(" accuracy")
    }


def accuracies_of(subject: Subject) -> dict[str, Any]:
    """How accurate the weights are on which split: as they say, else as their trial was judged;
    empty if untrained."""
    if not subject.trained:
        return {}
    known = subject.trained.get("accuracy")
    rows = dict(known) if isinstance(known, dict) else {}
    for split in ("validation", "test"):
        if f"{split} accuracy" in subject.origin:
            rows.setdefault(split, subject.origin[f"{split} accuracy"])
    return rows


def fresh_network(genotype: Genotype, skeleton: Skeleton) -> Network | NasBench201Network:
    """The network as it is handed over: with random weights, without what serves training only."""
    bare = replace(
        skeleton, auxiliary=False, drop_path_keep=1.0, drop_path_steps=0, dropout_keep=1.0
    )
    return build_network(genotype, bare, torch_rng(0, "export")).eval()
