"""The key over all of NAS-Bench-201: it merges exactly what is one function.

The judge is an interpreter of its own: convolutions multiply by a weight, a function of each kind
follows, pools are one fixed function. A genotype's fingerprint is the mean of its outputs over
every assignment of three weights to its edges: no permutation of weights can change it, and two
architectures that differ as functions of their weights do not share it.
"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from search_spaces.cells.genotype import Cell, Edge, Genotype, Node, cell_form
from search_spaces.cells.nasbench201_text import from_nasbench201_text
from search_spaces.nasbench201 import Nasbench201Space

Array = NDArray[np.float64]

CLASSES = 5_260
LINEAR_CLASSES = 5_044

_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
_GRID = np.array(list(product((0.7, 1.3, -0.9), repeat=6))).T[
    :, :, None
]  # weights of six edges, all assignments
_INPUT = np.array([0.31, -1.17])


@pytest.fixture(scope="module")
def genotypes() -> list[Genotype]:
    space = Nasbench201Space()
    return [space.decode(choices) for choices in product(range(5), repeat=6)]


def fingerprint(genotype: Genotype, pool_bend: float) -> Array:
    """Moments of the outputs over all weight assignments; nothing flows out of nothing, whatever
    stands on the edge."""
    states: list[Array] = [np.broadcast_to(_INPUT, (1, 2))]
    weights = iter(_GRID)
    for node in genotype.cells["normal"].nodes:
        total = np.zeros((1, 2))
        for edge in node.edges:
            weight = next(weights)
            total = total + carried(edge.op, states[edge.source], weight, pool_bend)
        states.append(total)
    outputs = np.broadcast_to(states[-1], (_GRID.shape[1], 2))
    moments: Array = np.concatenate(
        [f(outputs).mean(axis=0) for f in (np.sin, np.cos, np.tanh, lambda y: np.cos(3 * y))]
    )
    return moments


def carried(op: str, state: Array, weight: Array, pool_bend: float) -> Array:
    match op:
        case "none":
            return np.zeros_like(state)
        case "identity":
            return state
        case "avg_3x3":
            return 0.6 * state + pool_bend * np.sin(1.9 * state)
        case "conv_1x1":
            return np.tanh(weight * state) + 0.2 * state
    assert op == "conv_3x3"
    return np.sin(1.1 * weight * state + 0.4 * state * state)


def groups_of(prints: list[Array]) -> list[list[int]]:
    """Indices of equal fingerprints; what is nearly but not quite equal is an error of this
    test."""
    matrix = np.array(prints)
    direction = np.random.default_rng(5).standard_normal(matrix.shape[1])
    order = np.argsort(matrix @ direction, kind="stable")
    gaps = np.diff((matrix @ direction)[order])
    assert not ((gaps > 1e-12) & (gaps < 1e-9)).any()
    groups = np.split(order, np.flatnonzero(gaps >= 1e-9) + 1)
    assert max(float(np.ptp(matrix[group], axis=0).max()) for group in groups) < 1e-11
    return [group.tolist() for group in groups]


def test_equal_keys_are_equal_functions_and_different_keys_different_ones(
    genotypes: list[Genotype],
) -> None:
    groups = groups_of([fingerprint(genotype, 0.5) for genotype in genotypes])
    assert len(groups) == CLASSES
    assert all(len({genotypes[index].key for index in group}) == 1 for group in groups)
    assert len({genotype.key for genotype in genotypes}) == CLASSES


def test_only_the_linearity_of_pooling_would_merge_more(genotypes: list[Genotype]) -> None:
    classes: dict[str, Genotype] = {}
    for genotype in genotypes:
        classes.setdefault(genotype.key, genotype)
    assert (
        len(groups_of([fingerprint(genotype, 0.0) for genotype in classes.values()]))
        == LINEAR_CLASSES
    )


def ops(text: str) -> Genotype:
    """The architecture of six digits, as in the benchmark's tables."""
    return Nasbench201Space().decode([int(digit) for digit in text])


SAME = {
    "a dead node": ("330300", "000300"),
    "a pool of nothing": ("000300", "004300"),
    "a convolution of nothing": ("000000", "000003"),
    "a convolution that nobody reads": ("333100", "000100"),
    "an identity before": ("130001", "030001"),
    "an identity behind": ("300010", "000300"),
    "equal pools of one state": ("400010", "000400"),
    "two pools of the input, here or there": ("400410", "040401"),
    "swapped twins": ("330012", "330021"),
}
DIFFERENT = {
    "a shared convolution and two": ("301011", "301300"),
    "once and twice the input": ("000100", "100110"),
    "one pool and two": ("000400", "400410"),
    "different kernels": ("000200", "000300"),
    "nothing and the input": ("000000", "000100"),
    "before and after": ("200030", "300020"),
}


@pytest.mark.parametrize(("one", "two"), SAME.values(), ids=SAME)
def test_one_function_has_one_key(one: str, two: str) -> None:
    assert ops(one).key == ops(two).key


@pytest.mark.parametrize(("one", "two"), DIFFERENT.values(), ids=DIFFERENT)
def test_two_functions_have_two_keys(one: str, two: str) -> None:
    assert ops(one).key != ops(two).key


def test_a_convolution_read_twice_is_shared() -> None:
    twice_one = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|skip_connect~1|nor_conv_1x1~2|"
    one_of_two = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|skip_connect~1|nor_conv_1x1~2|"
    assert from_nasbench201_text(twice_one).key != from_nasbench201_text(one_of_two).key


def test_the_key_sees_neither_the_order_of_edges_nor_the_number_of_dead_nodes(
    genotypes: list[Genotype],
) -> None:
    for genotype in genotypes[7::487]:
        nodes = genotype.cells["normal"].nodes
        for order in permutations(range(3)):
            last = Node(tuple(nodes[2].edges[index] for index in order))
            dead = Node((Edge(3, "conv_1x1"), Edge(1, "avg_3x3")))
            cell = Cell((*nodes[:2], last, dead), (3,), 1)
            assert Genotype("elsewhere", {"normal": cell}).key == genotype.key


def test_cells_with_one_input_may_concatenate_and_put_out_several_states() -> None:
    one = Node((Edge(0, "conv_3x3"), Edge(0, "conv_1x1")), "concat")
    other = Node((Edge(0, "conv_1x1"), Edge(0, "conv_3x3")), "concat")
    added = Node(other.edges, "add")
    assert cell_form(Cell((one,), None, 1)) == cell_form(Cell((other,), (1,), 1))
    assert cell_form(Cell((one,), None, 1)) != cell_form(Cell((added,), None, 1))
    assert cell_form(Cell((one, other), (1, 2), 1)) != cell_form(Cell((one, other), (1,), 1))
    assert cell_form(Cell((one, added), None, 1)) == cell_form(Cell((added, other), (2, 1), 1))
    empty = Node((Edge(0, "none"),), "concat")
    assert cell_form(Cell((empty,), None, 1)) == cell_form(
        Cell((Node((Edge(0, "none"),)),), None, 1)
    )
