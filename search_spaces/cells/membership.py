"""Whether a genotype can become a network at all, said in one sentence where it cannot."""

from __future__ import annotations

from collections.abc import Iterable

from search_spaces.cells.genotype import Cell, Genotype
from search_spaces.errors import NetworkError, shortened


def check_cells(genotype: Genotype, roles: Iterable[str], inputs: int) -> None:
    """Refuses a genotype that lacks cells of these roles, or whose cells do not hang together."""
    if not genotype.cells:
        raise NetworkError(
            f"a genotype of space {genotype.space!r} has choices and no cells, so it makes no "
            "network; "
            "take one of a space of cells, such as nasnet"
        )
    for role in roles:
        if role not in genotype.cells:
            raise NetworkError(
                f"this layout needs a {role} cell, but the genotype has "
                f"{', '.join(sorted(genotype.cells))}; "
                "choose another layout or genotype"
            )
        _check_cell(role, genotype.cells[role], inputs)


def _check_cell(role: str, cell: Cell, inputs: int) -> None:
    if cell.inputs != inputs:
        raise NetworkError(
            f"this layout needs cells with {inputs} input{'s' * (inputs > 1)}, but the {role} "
            f"cell has {cell.inputs}; "
            "choose another layout or genotype"
        )
    for k, node in enumerate(cell.nodes):
        if not node.edges:
            raise NetworkError(f"node {k} of the {role} cell has no edges; give it at least one")
        for edge in node.edges:
            if not 0 <= edge.source < inputs + k:
                raise NetworkError(
                    f"node {k} of the {role} cell reads state {shortened(edge.source)}; "
                    f"expected one of 0 to {inputs + k - 1}"
                )
    outputs = cell.output_states
    if not outputs or not all(0 <= state < inputs + len(cell.nodes) for state in outputs):
        raise NetworkError(
            f"the {role} cell puts out states {shortened(outputs)}; "
            f"expected one or more of 0 to {inputs + len(cell.nodes) - 1}"
        )
