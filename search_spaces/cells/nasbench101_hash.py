"""The hash by which NAS-Bench-101 names its cells: of isomorphic ones the same (stdlib only).

Ying et al. 2019, `graph_util.hash_module`; what lies on no way from input to output is left out
before, as there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import md5
from typing import Final

VERTICES: Final = 7
OPS: Final = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
EDGES: Final = tuple(
    f"{source}>{to}" for source in range(VERTICES) for to in range(source + 1, VERTICES)
)

Arcs = frozenset[tuple[int, int]]


def arcs_of(edges: Sequence[int | str]) -> Arcs:
    """The arcs that these texts name; one named twice is one arc."""
    pairs = (str(edge).partition(">") for edge in edges)
    return frozenset((int(source), int(to)) for source, _, to in pairs)


def kept_vertices(arcs: Arcs) -> tuple[int, ...]:
    """The vertices on a way from input to output; none where there is no way."""
    forward, backward = {0}, {VERTICES - 1}
    for source, to in sorted(arcs):
        if source in forward:
            forward.add(to)
    for source, to in sorted(arcs, key=lambda arc: -arc[1]):
        if to in backward:
            backward.add(source)
    both = forward & backward
    return tuple(sorted(both)) if {0, VERTICES - 1} <= both else ()


def hash_of(arcs: Arcs, ops: Sequence[int]) -> str:
    """The published hash.

    Args:
        ops: of the five inner vertices, by their place in `OPS`.
    """
    kept = kept_vertices(arcs)
    labels = [-1, *ops, -2]
    within = [arc for arc in arcs if arc[0] in kept and arc[1] in kept]
    into = {vertex: [a for a, b in within if b == vertex] for vertex in kept}
    out_of = {vertex: [b for a, b in within if a == vertex] for vertex in kept}
    hashes = {
        vertex: _digest(str((len(out_of[vertex]), len(into[vertex]), labels[vertex])))
        for vertex in kept
    }
    for _ in kept:
        hashes = {
            vertex: _digest(
                "".join(sorted(hashes[each] for each in into[vertex]))
                + "|"
                + "".join(sorted(hashes[each] for each in out_of[vertex]))
                + "|"
                + hashes[vertex]
            )
            for vertex in kept
        }
    return _digest(str(sorted(hashes.values())))


def _digest(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def hash_of_choices(choices: Mapping[str, int | str]) -> str | None:
    """The hash of a drawing of the space; None where these choices are none."""
    edges = [choices.get(f"edge_{place}") for place in range(9)]
    ops = [choices.get(f"op_{vertex}") for vertex in range(1, VERTICES - 1)]
    if not (set(edges) <= set(EDGES) and set(ops) <= set(OPS)):
        return None
    arcs = arcs_of([str(edge) for edge in edges])
    return hash_of(arcs, [OPS.index(str(op)) for op in ops]) if kept_vertices(arcs) else None
