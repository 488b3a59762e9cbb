"""What single spaces promise: their decisions, sizes and options, and the sentences for what is no
member."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from search_spaces.cells.genotype import NASNET_OPS, Cell, Genotype
from search_spaces.cells.reading import read_genotype
from search_spaces.cells.space import Decision, SearchSpace
from search_spaces.darts import DartsSpace
from search_spaces.errors import SpaceError
from search_spaces.ladder import LadderSpace
from search_spaces.nasbench201 import Nasbench201Space
from search_spaces.nasnet import NasnetSpace
from search_spaces.table import TableSpace

# The targets of the synthetic landscape: what a generator draws, decision by decision, from these
# counts.
LANDSCAPE = {
    0: (
        "1 1 6 3 0 0 0 0 2 1 2 3 6 7 1 3 3 7 7 1 1 4 8 0 0 1 1 0 9 1 2 0 1 11 0 2 0 3 6 0 2 0 0 1 "
        "0 4 3 8 3 1"
    ),
    1: (
        "0 1 9 12 0 0 2 12 3 0 3 1 3 10 0 2 3 7 1 0 5 4 10 6 1 0 0 10 1 0 0 1 12 1 0 1 3 2 6 0 0 3 "
        "0 3 0 2 0 12 9 1"
    ),
}


def test_nasnet_asks_fifty_questions_in_the_order_of_the_paper() -> None:
    space = NasnetSpace()
    assert len(space.decisions) == 50
    assert [decision.name for decision in space.decisions[:6]] == [
        "normal.0.input_a",
        "normal.0.input_b",
        "normal.0.op_a",
        "normal.0.op_b",
        "normal.0.combine",
        "normal.1.input_a",
    ]
    assert space.decisions[25].name == "reduction.0.input_a"
    block = [count for k in range(5) for count in (2 + k, 2 + k, 13, 13, 2)]
    assert space.counts == (*block, *block)
    assert space.decisions[2].options == NASNET_OPS
    assert space.decisions[4].options == ("add", "concat")
    assert space.size == ((2 * 3 * 4 * 5 * 6) ** 2 * 13**10 * 2**5) ** 2


@pytest.mark.parametrize("seed", LANDSCAPE)
def test_the_golden_landscape_fits_the_counts_of_nasnet(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert [int(rng.integers(count)) for count in NasnetSpace().counts] == [
        int(w) for w in LANDSCAPE[seed].split()
    ]


def test_nasnet_takes_its_size_from_its_options() -> None:
    space = NasnetSpace(blocks=3, ops=["sep_3x3", "none"], combines=["concat"])
    assert space.counts == (2, 2, 2, 2, 1, 3, 3, 2, 2, 1, 4, 4, 2, 2, 1) * 2
    assert {node.combine for node in space.decode([0] * 30).cells["normal"].nodes} == {"concat"}


def test_the_fingerprint_changes_with_the_options() -> None:
    spaces: list[SearchSpace] = [
        NasnetSpace(),
        NasnetSpace(blocks=4),
        NasnetSpace(ops=NASNET_OPS[:12]),
        NasnetSpace(ops=NASNET_OPS[::-1]),
        NasnetSpace(combines=["add"]),
        NasnetSpace(combines=["concat", "add"]),
        TableSpace(decisions={"a": [1, 2]}),
        TableSpace(decisions={"a": ["1", "2"]}),
        TableSpace(decisions={"b": [1, 2]}),
    ]
    assert len({space.fingerprint for space in spaces}) == len(spaces)
    assert NasnetSpace(ops=list(NASNET_OPS)).fingerprint == spaces[0].fingerprint


def test_nasnet_a_is_shown_but_not_encoded_or_mutated() -> None:
    genotype, space = read_genotype("nasnet-a"), NasnetSpace()
    sentence = (
        "the normal cell puts out states 0, 2, 3, 4, 5, 6, not just its loose ends, as every cell "
        "that space 'nasnet' draws"
    )
    with pytest.raises(SpaceError, match=sentence):
        space.encode(genotype)
    with pytest.raises(SpaceError, match=sentence):
        space.mutate(genotype, np.random.default_rng(0))
    loose = Genotype("nasnet", {role: Cell(cell.nodes) for role, cell in genotype.cells.items()})
    spelled = Genotype(
        "nasnet", {role: Cell(cell.nodes, cell.loose_ends) for role, cell in genotype.cells.items()}
    )
    assert space.encode(loose) == space.encode(spelled)
    assert loose.key == spelled.key != genotype.key


def test_nasbench201_answers_with_the_digits_of_the_table() -> None:
    space = Nasbench201Space()
    assert [decision.name for decision in space.decisions] == [
        "0>1",
        "0>2",
        "1>2",
        "0>3",
        "1>3",
        "2>3",
    ]
    assert space.size == 15_625
    cell = space.decode((0, 1, 2, 3, 4, 0)).cells["normal"]
    assert [[(edge.source, edge.op) for edge in node.edges] for node in cell.nodes] == [
        [(0, "none")],
        [(0, "identity"), (1, "conv_1x1")],
        [(0, "conv_3x3"), (1, "avg_3x3"), (2, "none")],
    ]


def test_darts_chooses_different_inputs_and_puts_out_all_nodes() -> None:
    space = DartsSpace()
    assert space.size == (1 * 3 * 6 * 10 * 8**8) ** 2
    assert space.decisions[6].options == ("0,1", "0,2", "0,3", "1,2", "1,3", "2,3")
    assert all(cell.outputs == (2, 3, 4, 5) for cell in space.decode([0] * 24).cells.values())
    published = read_genotype("darts-v2")
    assert space.decode(space.encode(published)).key == published.key


def test_ladder_has_27_different_functions() -> None:
    space = LadderSpace()
    assert space.counts == (3, 3, 3)
    assert (
        len({space.decode(choices).key for choices in product(range(3), repeat=3)})
        == space.size
        == 27
    )


def test_table_takes_decisions_as_they_come() -> None:
    given: dict[str, list[int | str]] = {"d_0": ["a", "b"], "d_1": [1, 2]}
    space = TableSpace(decisions=given)
    assert space.decisions == (Decision("d_0", ("a", "b")), Decision("d_1", (1, 2)))
    assert TableSpace(decisions=space.decisions).fingerprint == space.fingerprint
    genotype = space.decode((1, 0))
    assert genotype.choices == {"d_0": "b", "d_1": 1}
    assert not genotype.cells


BAD_OPTIONS: list[tuple[Callable[[], Any], str]] = [
    (lambda: NasnetSpace(blocks=0), "blocks is 0; expected an integer from 1 to 64"),
    (lambda: NasnetSpace(blocks=65), "blocks is 65; expected an integer from 1 to 64"),
    (lambda: NasnetSpace(blocks=True), "blocks is True; expected"),
    (lambda: NasnetSpace(blocks=2.0), "blocks is 2.0; expected"),  # type: ignore[arg-type]
    (lambda: NasnetSpace(ops=[]), "ops is \\[\\]; expected a list of at least one name"),
    (lambda: NasnetSpace(ops="sep_3x3"), "ops is 'sep_3x3'; expected a list"),
    (
        lambda: NasnetSpace(ops=["sep_3x3"] * 2),
        "ops is \\['sep_3x3', 'sep_3x3'\\]; expected different names",
    ),
    (
        lambda: NasnetSpace(ops=["sep_3"]),
        "ops: no op is called 'sep_3'; there are .*; did you mean 'sep_3x3'",
    ),
    (lambda: NasnetSpace(ops=[3]), ("ops is \\[3\\]; expected different names")),  # type: ignore[list-item]
    (
        lambda: NasnetSpace(combines=["sum"]),
        "combines: no option is called 'sum'; there are add, concat",
    ),
    (lambda: NasnetSpace(combines=[]), "combines is \\[\\]; expected a list of at least one name"),
    (lambda: TableSpace(decisions={}), "a table has 1 to 10,000 decisions, but 0 were given"),
    (lambda: TableSpace(decisions={"": [1]}), "a decision is called ''; expected a printable text"),
    (
        lambda: TableSpace(decisions={"a": []}),
        "decision 'a' has the options \\[\\]; expected a list of at least one",
    ),
    (
        lambda: TableSpace(decisions={"a": "xyz"}),
        "decision 'a' has the options 'xyz'; expected a list",
    ),
    (lambda: TableSpace(decisions={"a": [1, 1]}), "decision 'a' has the same option twice"),
    (
        lambda: TableSpace(decisions={"a": [True]}),
        "decision 'a' has the option True; expected texts and integers",
    ),
    (lambda: TableSpace(decisions={"a": [0.5]}), ("decision 'a' has the option 0.5")),  # type: ignore[list-item]
    (
        lambda: TableSpace(decisions=[Decision("a", (1,))] * 2),
        "different names, but these are \\['a', 'a'\\]",
    ),
]


@pytest.mark.parametrize(("make", "sentence"), BAD_OPTIONS, ids=range(len(BAD_OPTIONS)))
def test_bad_options_get_one_sentence(make: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(SpaceError, match=sentence):
        make()


def test_strangers_get_a_sentence_that_says_what_differs() -> None:
    small, large = NasnetSpace(blocks=2, ops=["sep_3x3"], combines=["add"]), NasnetSpace(blocks=2)
    genotype = large.decode([0] * 20)
    with pytest.raises(
        SpaceError, match="node 0 of the normal cell: space 'nasnet': no op is called 'identity'"
    ):
        small.encode(genotype)
    concatenated = large.decode([0, 0, 10, 10, 1, *[0] * 15])
    with pytest.raises(
        SpaceError, match=r"has 2 edges and combines by 'concat'; .* two edges, combined by add"
    ):
        small.encode(concatenated)
    with pytest.raises(
        SpaceError, match=r"has 2 nodes and 2 inputs; a cell of this space 'nasnet' has 5 and 2"
    ):
        NasnetSpace().encode(genotype)
    table = TableSpace(decisions={"a": [1, 2]})
    with pytest.raises(
        SpaceError, match="decision 'a' of this table has no option '1', only '1, 2'"
    ):
        table.encode(Genotype("table", {}, {"a": "1"}))
    with pytest.raises(SpaceError, match="does not answer decision 'a' of this table"):
        table.encode(Genotype("table", {}, {"b": 1}))
    with pytest.raises(SpaceError, match="the genotype answers 2 decisions; this table has 1"):
        table.encode(Genotype("table", {}, {"a": 1, "b": 1}))


def test_a_space_of_one_architecture_has_no_mutants() -> None:
    space = TableSpace(decisions={"a": ["only"]})
    with pytest.raises(
        SpaceError, match="space 'table' has a single architecture, so nothing can be mutated"
    ):
        space.mutate(space.decode([0]), np.random.default_rng(0))
