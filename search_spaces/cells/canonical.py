"""The canonical form of a small rooted graph: the same for two graphs exactly when they differ only
in numbering.

Most graphs are settled by sorting level by level. Where that leaves ties, chains and twins are
merged and colours are refined in both directions. What is still tied falls into parts that are
settled one by one, and a part that does not fall apart is settled by trying (individualisation),
where a branch that a symmetry maps to a tried one is skipped. So the form is exact, and many equal
nodes cost time of a low power. After McKay, "Practical graph isomorphism" (1981).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import itemgetter

Arc = tuple[str | int, int]  # mark, vertex that is read
Graph = list[
    tuple[str, Sequence[Arc]]
]  # label and arcs per vertex; every vertex reads earlier ones, the last is the root
Form = tuple[tuple[str, tuple[Arc, ...]], ...]
Solved = tuple[
    dict[Form, list[int]], list[list[int]]
]  # forms, each with the order that spells it; symmetries met


def canonical_form(graph: Graph) -> Form:
    """The labels and arcs of what the root reaches, in an order that does not depend on the
    numbering."""
    graph = _reachable(graph)
    colours, form = _sorted_by_level(graph)
    if len(form) < len(graph):
        graph = _without_twins(_without_chains(graph))
        colours, form = _sorted_by_level(graph)
    return form if len(form) == len(graph) else min(_solved(colours, graph)[0])


def _reachable(graph: Graph) -> Graph:
    reached = [False] * len(graph)
    reached[-1] = True
    for vertex in range(len(graph) - 1, -1, -1):
        if reached[vertex]:
            for _, read in graph[vertex][1]:
                reached[read] = True
    return (
        graph
        if all(reached)
        else _restricted(graph, [v for v, is_reached in enumerate(reached) if is_reached])
    )


def _restricted(graph: Graph, kept: list[int]) -> Graph:
    """The graph of the kept vertices; arcs to others go."""
    numbers = {vertex: number for number, vertex in enumerate(kept)}
    return [
        (
            graph[vertex][0],
            [(mark, numbers[read]) for mark, read in graph[vertex][1] if read in numbers],
        )
        for vertex in kept
    ]


def _sorted_by_level(graph: Graph) -> tuple[list[int], Form]:
    """A colour per vertex by what it reads, and what each colour stands for; vertices that tie
    share their colour."""
    colours = [0] * len(graph)
    form: list[tuple[str, tuple[Arc, ...]]] = []
    for level in _levels(graph):
        described = [
            ((graph[v][0], tuple(sorted([(mark, colours[read]) for mark, read in graph[v][1]]))), v)
            for v in level
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


def _without_chains(graph: Graph) -> Graph:
    """An arc in the place of each vertex that reads once and is read once; its mark says what stood
    there."""
    readers = Counter(read for _, arcs in graph for _, read in arcs)
    passages: dict[int, tuple[str, int]] = {}
    shorter: Graph = []
    for vertex, (label, arcs) in enumerate(graph):
        direct = [
            (f"{mark} {passages[read][0]}", passages[read][1])
            if read in passages
            else (str(mark), read)
            for mark, read in arcs
        ]
        if len(arcs) == 1 and readers[vertex] == 1:
            passages[vertex] = (f"{label} {direct[0][0]}", direct[0][1])
        shorter.append((label, direct))
    return _restricted(shorter, [vertex for vertex in range(len(graph)) if vertex not in passages])


def _without_twins(graph: Graph) -> Graph:
    """One vertex, labelled with their number, for all that read the same and are read by the same
    in the same way."""
    while True:
        readers = _readers(graph)
        groups: dict[object, list[int]] = defaultdict(list)
        for vertex, (label, arcs) in enumerate(graph):
            groups[label, tuple(sorted(arcs)), tuple(readers[vertex])].append(vertex)
        if len(groups) == len(graph):
            return graph
        sizes = {twins[0]: len(twins) for twins in groups.values()}
        labelled: Graph = [
            (f"{sizes[v]} {label}" if sizes.get(v, 1) > 1 else label, arcs)
            for v, (label, arcs) in enumerate(graph)
        ]
        graph = _restricted(labelled, sorted(sizes))


def _readers(graph: Graph) -> list[list[Arc]]:
    readers: list[list[Arc]] = [[] for _ in graph]
    for vertex, (_, arcs) in enumerate(graph):
        for mark, read in arcs:
            readers[read].append((mark, vertex))
    return [sorted(arcs) for arcs in readers]


def _solved(colours: list[int], graph: Graph) -> Solved:
    """The least form of a coloured graph, perhaps with others, and symmetries that keep the
    colouring."""
    colours = _refined(colours, graph)
    parts = _parts(colours, graph)
    if not parts:
        return _leaf(colours, graph)
    if len(parts[0]) < len(graph):
        return _assembled(colours, graph, parts, _solved)
    return _branched(colours, graph)


def _first_leaf(colours: list[int], graph: Graph) -> Solved:
    """A form of the coloured graph: where there is a choice, the first."""
    colours = _refined(colours, graph)
    parts = _parts(colours, graph)
    if not parts:
        return _leaf(colours, graph)
    if len(parts[0]) < len(graph):
        return _assembled(colours, graph, parts, _first_leaf)
    return _first_leaf(_individualised(colours, _tied(colours)[0]), graph)


def _refined(colours: list[int], graph: Graph) -> list[int]:
    """The coarsest finer colouring in which equal vertices read, and are read by, equal colours in
    equal ways."""
    readers = _readers(graph)
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


def _parts(colours: list[int], graph: Graph) -> list[list[int]]:
    """The tied vertices by what hangs together; vertices with a colour of their own hold nothing
    together."""
    counts = Counter(colours)
    neighbours: dict[int, list[int]] = {
        v: [] for v, colour in enumerate(colours) if counts[colour] > 1
    }
    for vertex in neighbours:
        for _, read in graph[vertex][1]:
            if read in neighbours:
                neighbours[vertex].append(read)
                neighbours[read].append(vertex)
    parts = []
    left = set(neighbours)
    while left:
        part = _reached(min(left), neighbours.__getitem__)
        left -= part
        parts.append(sorted(part))
    return parts


def _assembled(
    colours: list[int],
    graph: Graph,
    parts: list[list[int]],
    solve: Callable[[list[int], Graph], Solved],
) -> Solved:
    """The whole from its parts: equal colours stand in the order of their parts' forms; equal parts
    can be swapped."""
    coloured: Graph = [
        (str(colour), arcs) for colour, (_, arcs) in zip(colours, graph, strict=True)
    ]
    settled: list[tuple[Form, list[int]]] = []
    symmetries: list[list[int]] = []
    leaves: dict[Form, list[int]] = {}
    for part in parts:
        leaves, kept = solve([colours[vertex] for vertex in part], _restricted(coloured, part))
        form = min(leaves)
        settled.append((form, [part[vertex] for vertex in leaves[form]]))
        symmetries += [
            _lifted(part, [part[image] for image in symmetry], len(graph)) for symmetry in kept
        ]
    if len(parts) == 1:
        wholes = [
            _leaf(_finest(colours, [parts[0][v] for v in order]), graph)[0]
            for order in leaves.values()
        ]
        return {form: order for whole in wholes for form, order in whole.items()}, symmetries
    settled.sort(key=itemgetter(0))
    for (one, order), (two, other) in pairwise(settled):
        if one == two:
            symmetries.append(_lifted(order + other, other + order, len(graph)))
    return _leaf(_finest(colours, [vertex for _, order in settled for vertex in order]), graph)[
        0
    ], symmetries


def _finest(colours: list[int], order: list[int]) -> list[int]:
    """A colour for each vertex: first by the colour it has, then by its place in the order."""
    places = {vertex: place for place, vertex in enumerate(order)}
    vertices = sorted(
        range(len(colours)), key=lambda vertex: (colours[vertex], places.get(vertex, 0))
    )
    return _lifted(vertices, list(range(len(vertices))), len(vertices))


def _branched(colours: list[int], graph: Graph) -> Solved:
    """Each vertex of one colour tried in the place of the first, but for those that a symmetry
    takes to a tried one."""
    leaves: dict[Form, list[int]] = {}
    symmetries: list[list[int]] = []
    tried: set[int] = set()
    for vertex in _tied(colours):
        if tried & _orbit(vertex, symmetries):
            continue
        finer = _individualised(colours, vertex)
        (form, order), *_ = _first_leaf(finer, graph)[0].items()
        if form in leaves:
            symmetries.append(_lifted(leaves[form], order, len(graph)))
            continue
        tried.add(vertex)
        below, kept = _solved(finer, graph)
        leaves.update(below)
        symmetries += kept
    return leaves, symmetries


def _tied(colours: list[int]) -> list[int]:
    """The vertices of the first colour that several have."""
    counts = Counter(colours)
    first = min(colour for colour, count in counts.items() if count > 1)
    return [vertex for vertex, colour in enumerate(colours) if colour == first]


def _individualised(colours: list[int], vertex: int) -> list[int]:
    return [2 * colour + (other != vertex) for other, colour in enumerate(colours)]


def _leaf(colours: list[int], graph: Graph) -> Solved:
    """The form that a colour for each vertex spells."""
    order = sorted(range(len(graph)), key=colours.__getitem__)
    form = tuple(
        (graph[v][0], tuple(sorted([(mark, colours[read]) for mark, read in graph[v][1]])))
        for v in order
    )
    return {form: order}, []


def _lifted(sources: list[int], targets: list[int], size: int) -> list[int]:
    """The symmetry that takes these vertices to those, and leaves the others where they are."""
    image = list(range(size))
    for source, target in zip(sources, targets, strict=True):
        image[source] = target
    return image


def _orbit(vertex: int, symmetries: list[list[int]]) -> set[int]:
    """Where symmetries can take a vertex; they are of finite order, so their inverses add
    nothing."""
    return _reached(vertex, lambda image: [symmetry[image] for symmetry in symmetries])


def _reached(start: int, steps: Callable[[int], list[int]]) -> set[int]:
    """All that steps lead to."""
    reached, fresh = {start}, [start]
    while fresh:
        new = set(steps(fresh.pop())) - reached
        reached |= new
        fresh += new
    return reached
