"""Whatever a text or a record is, reading it ends in a genotype or in one sentence."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from search_spaces.cells.genotype import OP_NAMES, Genotype
from search_spaces.cells.json_form import MAX_EDGES, MAX_NODES
from search_spaces.cells.reading import parse_genotype
from search_spaces.errors import GenotypeError
from search_spaces.nasbench201 import Nasbench201Space
from search_spaces.nasnet import NasnetSpace

_MANY = settings(max_examples=800, deadline=None)

VALID = [
    NasnetSpace(blocks=2).sample(np.random.default_rng(0)).to_json(),
    Nasbench201Space().sample(np.random.default_rng(0)).to_json(),
    '{"schema": 1, "space": "table", "choices": {"d_0": "a", "d_1": 3}}',
]
DARTS = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('none', 1)], normal_concat=range(2, 3), "
    "reduce=[('conv_3x3', 0), ('none', 1)], reduce_concat=[2, 0])"
)
ARCH = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"


def check(text: str | bytes) -> None:
    """A genotype that survives a round trip, or one sentence of bounded length."""
    outcome = read_or_refused(text)
    if isinstance(outcome, Genotype):
        check_genotype(outcome)
    else:
        assert "\n" not in outcome
        assert 0 < len(outcome) < 600
        outcome.encode()  # it can be printed


def read_or_refused(text: str | bytes) -> Genotype | str:
    try:
        return parse_genotype(text)
    except GenotypeError as problem:
        return str(problem)


def check_genotype(genotype: Genotype) -> None:
    assert Genotype.from_json(genotype.to_json()) == genotype
    assert len(genotype.key) == 20
    for cell in genotype.cells.values():
        assert 1 <= len(cell.nodes) <= MAX_NODES
        assert sum(len(node.edges) for node in cell.nodes) <= MAX_EDGES
        for index, node in enumerate(cell.nodes):
            assert all(
                type(edge.source) is int and 0 <= edge.source < cell.inputs + index
                for edge in node.edges
            )
            assert all(edge.op in OP_NAMES for edge in node.edges)
        assert all(0 <= state < cell.inputs + len(cell.nodes) for state in cell.output_states)


@_MANY
@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    check(content)


@_MANY
@given(st.text(max_size=200))
@example("\ud800")
def test_any_text(text: str) -> None:
    check(text)


PIECES = [
    *'{}[](),:|~+"',
    "'",
    "\\",
    "\n",
    "0",
    "9" * 20,
    "-1",
    "1e9",
    "NaN",
    "true",
    "null",
    '"\\ud800"',
    "Genotype(",
    "\x00",
    "é",
]


@_MANY
@given(
    text=st.sampled_from([*VALID, DARTS, ARCH]),
    cuts=st.lists(
        st.tuples(st.integers(0, 700), st.integers(0, 12), st.sampled_from(["", *PIECES])),
        min_size=1,
        max_size=4,
    ),
)
def test_valid_texts_with_pieces_cut_out_and_put_in(
    text: str, cuts: list[tuple[int, int, str]]
) -> None:
    for start, length, piece in cuts:
        place = start % (1 + len(text))
        text = text[:place] + piece + text[place + length :]
    check(text)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.sampled_from(OP_NAMES),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
EDGE = st.one_of(st.tuples(st.integers(-1, 5), st.sampled_from(OP_NAMES)).map(list), ANYTHING)
NODE = st.one_of(
    st.fixed_dictionaries(
        {"edges": st.lists(EDGE, max_size=3), "combine": st.sampled_from(["add", "concat", "sum"])},
        optional={"name": ANYTHING},
    ),
    ANYTHING,
)
CELL = st.one_of(
    st.fixed_dictionaries(
        {"nodes": st.lists(NODE, max_size=4)},
        optional={
            "outputs": st.lists(st.integers(-1, 5), max_size=3) | ANYTHING,
            "inputs": st.integers(0, 3) | ANYTHING,
        },
    ),
    ANYTHING,
)
RECORD = st.fixed_dictionaries(
    {
        "schema": st.sampled_from([1, 1, 1, 2, 0, True, "1"]),
        "space": st.sampled_from(["nasnet", "x"]) | ANYTHING,
    },
    optional={
        "cells": st.dictionaries(
            st.sampled_from(["normal", "reduction", "reduce"]), CELL, max_size=2
        )
        | ANYTHING,
        "choices": st.dictionaries(st.text(max_size=3), ANYTHING, max_size=3) | ANYTHING,
        "more": ANYTHING,
    },
)


@_MANY
@given(RECORD)
def test_records_that_look_like_genotypes(record: dict[str, Any]) -> None:
    check(json.dumps(record))


GOOD_NODES = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 9), st.sampled_from(OP_NAMES)), min_size=1, max_size=3),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@_MANY
@given(nodes=GOOD_NODES, inputs=st.sampled_from([1, 2]), seed=st.integers(0, 1000))
def test_records_that_are_genotypes_are_read(
    nodes: list[tuple[list[tuple[int, str]], bool]], inputs: int, seed: int
) -> None:
    """So that the tests above cannot pass by refusing everything."""
    record = {
        "schema": 1,
        "space": "nasnet",
        "cells": {
            "normal": {
                "nodes": [
                    {
                        "edges": [[source % (inputs + index), op] for source, op in edges],
                        "combine": "add" if is_sum else "concat",
                    }
                    for index, (edges, is_sum) in enumerate(nodes)
                ],
                "outputs": np.random.default_rng(seed)
                .permutation(inputs + len(nodes))[: 1 + seed % len(nodes)]
                .tolist(),
                "inputs": inputs,
            }
        },
    }
    genotype = parse_genotype(json.dumps(record))
    check_genotype(genotype)
    expected = (
        record["cells"]["normal"]
        if inputs == 1
        else {k: v for k, v in record["cells"]["normal"].items() if k != "inputs"}
    )
    assert genotype.to_dict()["cells"]["normal"] == expected


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet="Genotype(range[]),'=_. 0123456789not\n", max_size=300)
    | st.text(alphabet="()[],'=1a", max_size=400).map(lambda inner: f"Genotype({inner})")
)
def test_texts_that_look_like_python(text: str) -> None:
    check(text)
