"""The key of cells with two inputs: rewrites keep it and the function, and different keys are
different functions.

The judge is an interpreter of its own, in which every edge and every output has a weight. Where
weights can be mapped, outputs are compared; where they cannot, the means of outputs over every
assignment of a few weights, which no permutation of weights can change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from search_spaces.cells.genotype import OP_NAMES, Cell, Combine, Edge, Genotype, Node, cell_form

Array = NDArray[np.float64]

Nodes = dict[
    int, tuple[Combine, list[tuple[int, str, float]]]
]  # negative names: the inputs -2 and -1

_INPUTS = (np.array([0.31, -1.17, 0.6]), np.array([0.83, 0.45, -0.7]))
_BENDS = {op: 0.5 + 0.37 * index for index, op in enumerate(OP_NAMES)}


def evaluated(cell: Cell, edge_weights: Iterator[Array], output_weights: Iterable[Array]) -> Array:
    """What the cell puts out; `output_weights` are those of the states that are read from outside,
    in order."""
    states: list[Array] = list(_INPUTS)
    for node in cell.nodes:
        brought = [carried(edge, states, next(edge_weights)) for edge in node.edges]
        states.append(
            sum(brought, np.zeros(3))
            if node.combine == "add"
            else np.sin(2 * sum(map(mixed, brought)))
        )
    return sum(
        (
            weight * (0.4 + np.tanh(states[state]))
            for state, weight in zip(cell.output_states, output_weights, strict=True)
        ),
        np.zeros(3),
    )


def carried(edge: Edge, states: Sequence[Array], weight: Array) -> Array:
    if edge.op == "none":
        return np.zeros(3)
    return (
        np.sin(_BENDS[edge.op] * weight * states[edge.source]) + 0.3 * weight * states[edge.source]
    )


def mixed(brought: Array) -> Array:
    return np.tanh(0.7 * brought + brought * brought)


# ── rewrites
# ──────────────────────────────────────────────────────────────────


@dataclass
class Drawn:
    """A cell whose nodes have names and whose edges have weights, so that rewriting keeps both."""

    nodes: Nodes
    outputs: list[int] | None

    def read(self) -> set[int]:
        return {source for _, edges in self.nodes.values() for source, _, _ in edges}

    def as_cell(self) -> Cell:
        place = {name: index for index, name in enumerate([-2, -1, *self.nodes])}
        nodes = tuple(
            Node(tuple(Edge(place[source], op) for source, op, _ in edges), combine)
            for combine, edges in self.nodes.values()
        )
        return Cell(
            nodes, None if self.outputs is None else tuple(place[name] for name in self.outputs)
        )

    def evaluated(self) -> Array:
        weights = iter(
            [np.array(weight) for _, edges in self.nodes.values() for _, _, weight in edges]
        )
        names = [-2, -1, *self.nodes]
        outside = [np.array(1.3 + np.sin(names[state])) for state in self.as_cell().output_states]
        return evaluated(self.as_cell(), weights, outside)


def drawn(rng: np.random.Generator) -> Drawn:
    ops = rng.choice(OP_NAMES, size=int(rng.integers(1, 4)), replace=False).tolist()
    nodes: Nodes = {}
    for name in range(int(rng.integers(1, 8))):
        edges = [
            (int(rng.integers(-2, name)), str(rng.choice(ops)), float(rng.normal()))
            for _ in range(rng.integers(1, 4))
        ]
        nodes[name] = ("concat" if rng.random() < 0.3 else "add", edges)
    outputs = rng.permutation(sorted(nodes))[: rng.integers(1, 1 + len(nodes))].tolist()
    return Drawn(nodes, outputs if rng.random() < 0.5 else None)


def rewritten(cell: Drawn, rng: np.random.Generator) -> Drawn:
    """The same function, written down differently."""
    nodes = {name: (combine, list(edges)) for name, (combine, edges) in cell.nodes.items()}
    outputs = cell.outputs
    if outputs is None and rng.random() < 0.5:
        outputs = sorted(set(nodes) - cell.read())
    if outputs is not None:
        rng.shuffle(outputs := list(outputs))
        dead = max(nodes) + 1
        nodes[dead] = ("add", [(int(rng.choice([-2, -1, *nodes])), "sep_5x5", 0.5)])
    for name, (combine, edges) in nodes.items():
        free = [
            source
            for source in range(-2, name)
            if source < 0 or outputs is not None or source in cell.read()
        ]
        if combine == "add" and rng.random() < 0.3:
            edges.append((int(rng.choice(free)), "none", 0.1))
        rng.shuffle(edges)
    return Drawn(in_another_order(nodes, rng), outputs)


def in_another_order(nodes: Nodes, rng: np.random.Generator) -> Nodes:
    ordered: Nodes = {}
    while len(ordered) < len(nodes):
        ready = [
            name
            for name, (_, edges) in nodes.items()
            if name not in ordered
            and all(source < 0 or source in ordered for source, _, _ in edges)
        ]
        name = int(rng.choice(ready))
        ordered[name] = nodes[name]
    return ordered


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_rewrites_keep_the_key_and_the_function(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cell = drawn(rng)
    other = rewritten(cell, rng)
    np.testing.assert_allclose(other.evaluated(), cell.evaluated(), rtol=1e-9, atol=1e-12)
    assert cell_form(other.as_cell()) == cell_form(cell.as_cell())


# ── all cells of a kind
# ──────────────────────────────────────────────────────────────────


def every_cell(blocks: int, ops: Sequence[str], combines: Sequence[Combine]) -> Iterator[Cell]:
    """All cells with this many nodes of two edges each; every pair of edges once, as their order
    says nothing."""

    def nodes(states: int) -> list[Node]:
        edges = [Edge(source, op) for source in range(states) for op in ops]
        pairs = [(one, two) for index, one in enumerate(edges) for two in edges[index:]]
        return [Node(pair, combine) for pair in pairs for combine in combines]

    for chosen in product(*(nodes(2 + block) for block in range(blocks))):
        yield Cell(chosen)


def fingerprint(cell: Cell) -> Array:
    """Moments of what the cell puts out over every assignment of two weights to its edges and
    outputs."""
    edges = sum(len(node.edges) for node in cell.nodes)
    grid = np.array(list(product((0.8, -1.9), repeat=edges + len(cell.output_states)))).T[
        :, :, None
    ]
    outputs = evaluated(cell, iter(grid[:edges]), grid[edges:])
    moments: Array = np.concatenate([f(outputs).mean(axis=0) for f in (np.sin, np.cos, np.tanh)])
    return moments


def check_that_keys_are_functions(cells: Sequence[Cell]) -> None:
    """The partition by form is the partition by fingerprint; a near miss is an error of this
    test."""
    matrix = np.array([fingerprint(cell) for cell in cells])
    direction = np.random.default_rng(5).standard_normal(matrix.shape[1])
    order = np.argsort(matrix @ direction, kind="stable")
    gaps = np.diff((matrix @ direction)[order])
    assert not ((gaps > 1e-12) & (gaps < 1e-9)).any()
    groups = np.split(order, np.flatnonzero(gaps >= 1e-9) + 1)
    forms = [cell_form(cell) for cell in cells]
    assert all(len({forms[index] for index in group}) == 1 for group in groups)
    assert len(groups) == len(set(forms))


def test_all_cells_of_two_blocks_with_two_ops() -> None:
    check_that_keys_are_functions(list(every_cell(2, ("sep_3x3", "max_3x3"), ("add", "concat"))))


def test_all_cells_of_three_blocks_with_one_op() -> None:
    check_that_keys_are_functions(list(every_cell(3, ("sep_3x3",), ("add",))))


def test_all_cells_of_three_blocks_with_all_outputs() -> None:
    states = (2, 3, 4)
    chosen = [outputs for size in (1, 2, 3) for outputs in combinations(states, size)]
    cells = every_cell(3, ("sep_3x3",), ("add",))
    check_that_keys_are_functions(
        [Cell(cell.nodes, outputs) for cell in cells for outputs in chosen]
    )


def test_cells_with_edges_that_carry_nothing() -> None:
    check_that_keys_are_functions(list(every_cell(2, ("sep_3x3", "none"), ("add",))))


# ── many equal nodes
# ──────────────────────────────────────────────────────────────────


def node(*sources: int, op: str = "sep_3x3") -> Node:
    return Node(tuple(Edge(source, op) for source in sources))


def graph_cell(vertices: Sequence[int], edges: Sequence[tuple[int, int]], inputs: int) -> Cell:
    """A cell that spells a graph: a node for each vertex, all equal but for their names, then a
    node for each edge."""
    place = {vertex: inputs + index for index, vertex in enumerate(vertices)}
    nodes = (*[node(0) for _ in vertices], *[node(place[one], place[two]) for one, two in edges])
    return Cell(nodes, tuple(range(inputs, inputs + len(nodes))), inputs)


@pytest.mark.parametrize("inputs", [1, 2])
def test_there_are_34_graphs_of_five_vertices(inputs: int) -> None:
    pairs = list(combinations(range(5), 2))
    graphs = [list(edges) for size in range(11) for edges in combinations(pairs, size)]
    assert len({cell_form(graph_cell(range(5), edges, inputs)) for edges in graphs}) == 34


def cycles(*lengths: int) -> list[tuple[int, int]]:
    edges, start = [], 0
    for length in lengths:
        edges += [(start + step, start + (step + 1) % length) for step in range(length)]
        start += length
    return edges


def lattice(steps: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """The graph of 16 places of a four by four torus in which places these steps apart are
    joined."""
    return [
        (one, two)
        for one, two in combinations(range(16), 2)
        if ((one // 4 - two // 4) % 4, (one % 4 - two % 4) % 4) in steps
    ]


_ROOK = lattice({(0, 1), (0, 2), (0, 3), (1, 0), (2, 0), (3, 0)})
_SHRIKHANDE = lattice({(0, 1), (0, 3), (1, 0), (3, 0), (1, 1), (3, 3)})
HARD = {
    "a cycle of 32": cycles(32),
    "ten triangles": cycles(*[3] * 10),
    "hexagons and triangles": cycles(6, 3, 3, 6, 3, 3, 4, 4),
    "rook": _ROOK,
    "Shrikhande": _SHRIKHANDE,
    "chains": [(step, step + 1) for start in range(0, 30, 3) for step in (start, start + 1)],
    "a crown": [(one, 8 + two) for one in range(8) for two in range(8) if one != two],
}


@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("edges", HARD.values(), ids=HARD)
def test_hard_graphs_have_one_form_in_any_order(edges: list[tuple[int, int]], inputs: int) -> None:
    rng = np.random.default_rng(3)
    vertices = sorted({vertex for edge in edges for vertex in edge})
    forms = set()
    for _ in range(4):
        names = rng.permutation(vertices).tolist()
        shuffled = [edges[index] for index in rng.permutation(len(edges))]
        forms.add(cell_form(graph_cell(names, shuffled, inputs)))
    assert len(forms) == 1


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (_ROOK, _SHRIKHANDE),
        (cycles(6), cycles(3, 3)),
        (cycles(3, 3, 6, 4, 4), cycles(6, 6, 8)),
        (cycles(8), cycles(4, 4)),
    ],
)
def test_graphs_that_colours_do_not_tell_apart_have_two_forms(
    one: list[tuple[int, int]], two: list[tuple[int, int]]
) -> None:
    vertices = range(1 + max(vertex for edge in one for vertex in edge))
    assert cell_form(graph_cell(vertices, one, 2)) != cell_form(graph_cell(vertices, two, 2))


@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("blocks", [10, 64])
def test_many_equal_nodes_are_no_trouble(blocks: int, inputs: int) -> None:
    equal = Cell((node(0, 0),) * blocks, None, inputs)
    chained = Cell(
        tuple(
            node(max(0, inputs + block - 1), max(0, inputs + block - 1)) for block in range(blocks)
        ),
        None,
        inputs,
    )
    assert cell_form(equal) != cell_form(Cell((node(0, 0),) * (blocks - 1), None, inputs))
    assert cell_form(chained) == cell_form(Cell(chained.nodes, (inputs + blocks - 1,), inputs))


# ── by hand
# ──────────────────────────────────────────────────────────────────


def genotype(*nodes: Node, outputs: tuple[int, ...] | None = None) -> Genotype:
    return Genotype("nasnet", {"normal": Cell(nodes, outputs)})


def test_reading_twins_is_not_reading_one_of_them_twice() -> None:
    twins = (node(0, 1), node(1, 0))
    assert (
        genotype(*twins, node(2, 3), outputs=(4,)).key
        != genotype(*twins, node(2, 2), outputs=(4,)).key
    )
    assert (
        genotype(*twins, node(2, 2), outputs=(4,)).key
        == genotype(*twins, node(3, 3), outputs=(4,)).key
    )


def test_the_same_edge_twice_is_two_edges() -> None:
    assert genotype(node(0, 0)).key != genotype(node(0)).key


def test_roles_count_and_the_name_of_the_space_does_not() -> None:
    one, two = Cell((node(0, 1),)), Cell((node(0, 0),))
    assert (
        Genotype("a", {"normal": one, "reduction": two}).key
        == Genotype("b", {"reduction": two, "normal": one}).key
    )
    assert (
        Genotype("a", {"normal": one, "reduction": two}).key
        != Genotype("a", {"normal": two, "reduction": one}).key
    )
    assert (
        Genotype("a", {"normal": one}).key != Genotype("a", {"normal": one, "reduction": one}).key
    )


def test_choices_are_what_they_say_in_any_order() -> None:
    chosen: dict[str, int | str] = {"a": 1, "b": "x"}
    reordered: dict[str, int | str] = {"b": "x", "a": 1}
    others: list[dict[str, int | str]] = [{"a": "1", "b": "x"}, {"a": 1, "b": "y"}, {"a": 1}]
    assert Genotype("table", {}, chosen).key == Genotype("table", {}, reordered).key
    assert len({Genotype("table", {}, choices).key for choices in [chosen, *others]}) == 4
    assert Genotype("other", {}, chosen).key != Genotype("table", {}, chosen).key


def test_a_key_is_twenty_digits_and_stays_what_it_was() -> None:
    """Logs, file names and tables hold keys, so they may not change between versions."""
    assert genotype(node(0, 1), node(1, 2, op="identity")).key == "137a770481f651302f4b"
    assert (
        Genotype("nasbench201", {"normal": Cell((node(0),), None, 1)}).key == "116900365f04fd0bb67f"
    )
    assert Genotype("table", {}, {"a": 1}).key == "5c80a61e49d7d0118db1"
