"""The spaces of ENAS, PNAS and AmoebaNet: their operations, and which published cells are
members."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.registry import load
from parts.command_line import nas
from parts.studies import lines
from search_spaces import zoo
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace
from search_spaces.errors import SpaceError


def space_of(name: str) -> SearchSpace:
    space: SearchSpace = load("space", name)()
    return space


@pytest.mark.parametrize(
    ("name", "size"),
    [
        # inputs (2*3*4*5*6)^2, operations per block squared, once or twice for two cells
        ("enas", (720**2 * 5**10) ** 2),
        ("pnas", 720**2 * 8**10),
        ("amoebanet", (720**2 * 8**10) ** 2),
    ],
)
def test_their_sizes_are_those_of_the_papers(name: str, size: int) -> None:
    assert space_of(name).size == size


def test_pnas_has_one_cell_for_both_roles() -> None:
    space = space_of("pnas")
    genotype = space.decode([0] * len(space.counts))
    assert genotype.cells["normal"] == genotype.cells["reduction"]

    other = space.decode([count - 1 for count in space.counts])
    mixed = Genotype("pnas", {**genotype.cells, "reduction": other.cells["normal"]})
    with pytest.raises(SpaceError, match="the reduction cell differs from the normal one"):
        space.encode(mixed)


def test_the_published_cell_of_enas_is_a_member_and_a_search_begins_with_it(tmp_path: Path) -> None:
    answer = nas(
        *("search", "--space", "enas", "--evaluator", "landscape", "--strategy", "evolution"),
        *("--trials", "3", "--start-from", "enas", "--out", tmp_path / "s"),
    )

    assert answer.code == 0, answer.err
    first = next(event for event in lines(tmp_path / "s") if event["event"] == "asked")
    assert first["key"] == zoo.load("enas").genotype.key
    assert first["genotype"]["space"] == "enas"


@pytest.mark.parametrize(("space", "cell"), [("pnas", "pnasnet-5"), ("amoebanet", "amoebanet-a")])
def test_cells_with_outputs_listed_by_hand_are_no_members(space: str, cell: str) -> None:
    genotype = zoo.load(cell).genotype
    with pytest.raises(SpaceError, match=r"loose ends|outputs"):
        space_of(space).encode(Genotype(space, genotype.cells))
