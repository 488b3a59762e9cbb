"""A space whose search decides settings too: genotypes carry them, networks are built by them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nas.registry import load
from nas.seeding import numpy_rng
from search_spaces.cells.cost import params, params_and_macs
from search_spaces.cells.decided_settings import DecidedSettings, skeleton_of
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton
from search_spaces.errors import GenotypeError, SpaceError

SKELETON = Skeleton(cells_per_stage=1, filters=4, image_size=8, classes=3)
WIDTHS: dict[str, list[Any]] = {
    "skeleton.filters": [4, 6],
    "skeleton.cells_per_stage": [1, 2],
    "skeleton.image_size": [8, 12],
    "recipe.learning_rate": [0.01, 0.5],
}


def decided(name: str = "nasnet", settings: Any = WIDTHS) -> DecidedSettings:
    return DecidedSettings(space=load("space", name)(), settings=settings)


@pytest.mark.parametrize("name", ["nasnet", "nasbench201"])
def test_what_was_chosen_costs_what_a_space_fixed_at_it_costs(name: str) -> None:
    layout = {"layout": "nasbench201"} if name == "nasbench201" else {}
    around = replace(SKELETON, **layout)  # type: ignore[arg-type]
    space, seen = decided(name), set()
    cells = space.cells.sample(numpy_rng(0, "cells"))
    for settings in space.combinations():
        genotype = replace(cells, settings=settings)
        own = {name.partition(".")[2]: value for name, value in settings.items()}
        own.pop("learning_rate")
        fixed = replace(around, **own)  # type: ignore[arg-type]
        costs = params_and_macs(genotype, skeleton_of(genotype, around))
        assert costs == params_and_macs(cells, fixed)
        assert params(space.build(genotype, around)) == params(space.cells.build(cells, fixed))
        seen.add((costs["params"], costs["macs"]))
    assert len(seen) == 8  # widths x depths x sizes; a learning rate costs nothing


def test_its_decisions_stand_behind_those_of_the_cells() -> None:
    space = decided()
    assert [decision.name for decision in space.decisions[50:]] == list(WIDTHS)
    assert space.decisions[53].options == ("0.01", "0.5")
    assert space.size == space.cells.size * 16
    assert space.architectures == space.cells.architectures * 16
    others = decided(settings={**WIDTHS, "skeleton.filters": [4, 8]}), space.cells
    assert len({each.fingerprint for each in (space, *others)}) == 3


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"filters": [8, 16]}, "'filters' is no setting of a genotype"),
        ({"skeleton.width": [8, 16]}, "no setting of the skeleton is called 'width'"),
        ({"recipe.epochs": [8, 16]}, "recipe.epochs is no decision of a search: more are nearly"),
        ({"skeleton.filters": [8]}, "has the values .8.; expected two or more, all different"),
        ({"skeleton.filters": [8, 8]}, "expected two or more, all different"),
    ],
)
def test_what_cannot_be_decided_is_refused(settings: Any, sentence: str) -> None:
    with pytest.raises((SpaceError, GenotypeError), match=sentence):
        decided(settings=settings)


def test_a_space_without_cells_has_no_network_to_decide_about() -> None:
    with pytest.raises(SpaceError, match="genotypes of space 'nasbench101' have choices and no"):
        decided("nasbench101")


def test_strangers_are_told_what_is_decided() -> None:
    space = decided(settings={"skeleton.filters": [4, 6]})
    member = space.sample(numpy_rng(0, "member"))
    for settings, sentence in (
        ({}, "the genotype chose no settings; this search decides skeleton.filters"),
        ({"recipe.momentum": 0.5}, "the genotype chose recipe.momentum; this search decides"),
        ({"skeleton.filters": 5}, "the genotype has skeleton.filters 5; this search chooses from"),
    ):
        stranger: Genotype = replace(member, settings=settings)
        with pytest.raises(SpaceError, match=sentence):
            space.encode(stranger)
    with pytest.raises(SpaceError, match=r"chose skeleton\.filters, which this search does not"):
        space.cells.encode(member)
