"""Whether anything of an image reaches the head (stdlib only)."""

from __future__ import annotations

from search_spaces.cells.genotype import Cell, Genotype


def carries_input(genotype: Genotype) -> bool:
    """Whether each of its cells puts out something of what it reads: a network of others gives the
    same answer to every image. Bare choices are believed to."""
    return all(_carries(cell) for cell in genotype.cells.values())


def _carries(cell: Cell) -> bool:
    carrying = set(range(cell.inputs))
    for state, node in enumerate(cell.nodes, start=cell.inputs):
        if any(edge.op != "none" and edge.source in carrying for edge in node.edges):
            carrying.add(state)
    return not carrying.isdisjoint(cell.output_states)
