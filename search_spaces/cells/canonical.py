"""The canonical form of a small rooted graph: the same for two graphs exactly when they differ only in numbering.

Most graphs are settled by sorting level by level. Where that leaves ties, twins are merged, colours are refined in both
directions, and what is still tied is told apart by trying (individualisation); a branch that a symmetry maps to an
explored one is skipped. So the form is exact, and many equal nodes cost time of a low power, never an exponential.
After McKay, "Practical graph isomorphism" (1981).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

Arc = tuple[str | int, int]  # mark, vertex that is read
Graph = list[
    tuple[str, Sequence[Arc]]
]  # label and arcs per vertex; every vertex reads earlier ones, the last is the root
Form = tuple[tuple[str, tuple[Arc, ...]], ...]
Leaves = dict[Form, list[int]]  # form -> the order of vertices that spells it


def canonical_form(graph: Graph) -> Form:
    """The labels and arcs of what the root reaches, in an order that does not depend on the numbering."""
    graph = _reachable(graph)
    colours, form = _sorted_by_level(graph)
    if len(form) < len(graph):
        graph = _without_twins(graph)
        colours, form = _sorted_by_level(graph)
    return form if len(form) == len(graph) else _searched(colours, graph)


def _reachable(graph: Graph) -> Graph:
    reached = [False] * len(graph)
    reached[-1] = True
    for vertex in range(len(graph) - 1, -1, -1):
        if reached[vertex]:
            for _, read in graph[vertex][1]:
                reached[read] = True
    return graph if all(reached) else _restricted(graph, [v for v, is_reached in enumerate(reached) if is_reached])


def _restricted(graph: Graph, kept: list[int]) -> Graph:
    """The graph of the kept vertices; arcs to others go."""
    numbers = {vertex: number for number, vertex in enumerate(kept)}
    return [
        (graph[vertex][0], [(mark, numbers[read]) for mark, read in graph[vertex][1] if read in numbers])
        for vertex in kept
    ]


def _sorted_by_level(graph: Graph) -> tuple[list[int], Form]:
    """A colour per vertex by what it reads, and what each colour stands for; vertices that tie share their colour."""
    colours = [0] * len(graph)
    form: list[tuple[str, tuple[Arc, ...]]] = []
    for level in _levels(graph):
        described = [
            ((graph[v][0], tuple(sorted([(mark, colours[read]) for mark, read in graph[v][1]]))), v) for v in level
        ]
        if len(described) > 1:
            described.sort()
        previous = None
        for description, vertex in described:
            if description != previous:
                form.append(description)
                previous = description
            colours[vertex] = len(form) - 1
    return colours, tuple(form)


def _levels(graph: Graph) -> list[list[int]]:
    """The vertices by the length of the longest path below them."""
    depths = [0] * len(graph)
    levels: list[list[int]] = [[]]
    for vertex, (_, arcs) in enumerate(graph):
        depth = 0
        for _, read in arcs:
            if depths[read] >= depth:
                depth = depths[read] + 1
        depths[vertex] = depth
        if depth == len(levels):
            levels.append([])
        levels[depth].append(vertex)
    return levels


def _without_twins(graph: Graph) -> Graph:
    """One vertex, labelled with their number, for all that read the same and are read by the same in the same way."""
    while True:
        readers = _readers(graph)
        groups: dict[object, list[int]] = defaultdict(list)
        for vertex, (label, arcs) in enumerate(graph):
            groups[label, tuple(sorted(arcs)), tuple(readers[vertex])].append(vertex)
        if len(groups) == len(graph):
            return graph
        sizes = {twins[0]: len(twins) for twins in groups.values()}
        labelled: Graph = [
            (f"{sizes[v]} {label}" if sizes.get(v, 1) > 1 else label, arcs) for v, (label, arcs) in enumerate(graph)
        ]
        graph = _restricted(labelled, sorted(sizes))


def _readers(graph: Graph) -> list[list[Arc]]:
    readers: list[list[Arc]] = [[] for _ in graph]
    for vertex, (_, arcs) in enumerate(graph):
        for mark, read in arcs:
            readers[read].append((mark, vertex))
    return [sorted(arcs) for arcs in readers]


def _searched(colours: list[int], graph: Graph) -> Form:
    readers = _readers(graph)
    leaves, _ = _explored(_refined(colours, graph, readers), graph, readers)
    return min(leaves)


def _refined(colours: list[int], graph: Graph, readers: list[list[Arc]]) -> list[int]:
    """The coarsest finer colouring in which equal vertices read, and are read by, equal colours in equal ways."""
    known = len(set(colours))
    while True:
        described = [
            (
                colours[vertex],
                tuple(sorted([(mark, colours[read]) for mark, read in arcs])),
                tuple(sorted([(mark, colours[reader]) for mark, reader in readers[vertex]])),
            )
            for vertex, (_, arcs) in enumerate(graph)
        ]
        ranks = {description: rank for rank, description in enumerate(sorted(set(described)))}
        colours = [ranks[description] for description in described]
        if len(ranks) in (known, len(graph)):
            return colours
        known = len(ranks)


def _explored(colours: list[int], graph: Graph, readers: list[list[Arc]]) -> tuple[Leaves, list[list[int]]]:
    """The leaves below a colouring, one or more of each kind, and the symmetries met that keep the colouring."""
    tied = _tied(colours)
    if not tied:
        form, order = _leaf(colours, graph)
        return {form: order}, []
    leaves: Leaves = {}
    symmetries: list[list[int]] = []
    explored: set[int] = set()
    for vertex in tied:
        if explored & _orbit(vertex, symmetries):
            continue
        finer = _refined(_individualised(colours, vertex), graph, readers)
        form, order = _first_leaf(finer, graph, readers)
        if form in leaves:
            symmetries.append(_mapping(leaves[form], order))
            continue
        explored.add(vertex)
        below, kept = _explored(finer, graph, readers)
        leaves.update(below)
        symmetries.extend(kept)
    return leaves, symmetries


def _tied(colours: list[int]) -> list[int]:
    """The vertices of the first colour that several have."""
    classes: dict[int, list[int]] = defaultdict(list)
    for vertex, colour in enumerate(colours):
        classes[colour].append(vertex)
    return next((classes[colour] for colour in sorted(classes) if len(classes[colour]) > 1), [])


def _individualised(colours: list[int], vertex: int) -> list[int]:
    return [2 * colour + (other != vertex) for other, colour in enumerate(colours)]


def _first_leaf(colours: list[int], graph: Graph, readers: list[list[Arc]]) -> tuple[Form, list[int]]:
    while tied := _tied(colours):
        colours = _refined(_individualised(colours, tied[0]), graph, readers)
    return _leaf(colours, graph)


def _leaf(colours: list[int], graph: Graph) -> tuple[Form, list[int]]:
    order = sorted(range(len(graph)), key=colours.__getitem__)
    form = tuple((graph[v][0], tuple(sorted([(mark, colours[read]) for mark, read in graph[v][1]]))) for v in order)
    return form, order


def _mapping(one: list[int], two: list[int]) -> list[int]:
    """The symmetry that takes one order of vertices to another."""
    image = [0] * len(one)
    for source, target in zip(one, two, strict=True):
        image[source] = target
    return image


def _orbit(vertex: int, symmetries: list[list[int]]) -> set[int]:
    """Where the symmetries can take a vertex; they are of finite order, so their inverses add nothing."""
    orbit, fresh = {vertex}, [vertex]
    while fresh:
        image = fresh.pop()
        for symmetry in symmetries:
            if symmetry[image] not in orbit:
                orbit.add(symmetry[image])
                fresh.append(symmetry[image])
    return orbit
