"""What can be counted in a genotype: operations, what they read, loose ends, depth, paths. The
choices themselves, where a space has no cells."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from search_spaces.cells import COMBINES

if TYPE_CHECKING:
    from search_spaces.cells.genotype import Cell, Genotype
    from search_spaces.cells.space import SearchSpace

Floats = NDArray[np.float64]

_IDLE = ("none", "identity")  # operations that add nothing to depth


@dataclass(frozen=True, slots=True)
class Counting:
    """What is counted in the genotypes of a space, as far as some of them show it.

    Args:
        ops: the operations that these use.
        roles: their cells; none, where the space has bare choices.
    """

    ops: tuple[str, ...]
    roles: tuple[str, ...]

    @classmethod
    def of(cls, genotypes: Sequence[Genotype]) -> Self:
        """All that these genotypes use."""
        cells = [cell for genotype in genotypes for cell in genotype.cells.values()]
        ops = {edge.op for cell in cells for node in cell.nodes for edge in node.edges}
        return cls(tuple(sorted(ops)), tuple(sorted(genotypes[0].cells)))

    def __call__(self, space: SearchSpace, genotype: Genotype) -> list[float]:
        """The numbers of one genotype."""
        if not self.roles:
            answers = zip(space.encode(genotype), space.counts, strict=True)
            return [float(answer == each) for answer, count in answers for each in range(count)]
        return [number for role in self.roles for number in self._of_cell(genotype.cells[role])]

    def knows(self, genotype: Genotype) -> bool:
        """Whether each of its operations was seen."""
        cells = genotype.cells.values()
        return all(
            edge.op in self.ops for cell in cells for node in cell.nodes for edge in node.edges
        )

    def _of_cell(self, cell: Cell) -> Iterator[float]:
        live = _live(cell)
        ops, of_input = Counter(op for _, op, _ in live), Counter[str]()
        sources: Counter[int] = Counter()
        for source, op, _ in live:
            if source < cell.inputs:
                of_input[op] += 1
                sources[source] += 1
        for op in self.ops:
            yield ops[op]
            yield of_input[op]
        for source in range(cell.inputs):
            yield sources[source]
        nodes = {target for _, _, target in live}
        combines = Counter(cell.nodes[state - cell.inputs].combine for state in nodes)
        for combine in COMBINES:
            yield combines[combine]
        yield from _shape(cell, live)


def _live(cell: Cell) -> list[tuple[int, str, int]]:
    """The edges (source, op, target) through which something of the input reaches the output."""
    carrying = set(range(cell.inputs))
    forward = []
    for state, node in enumerate(cell.nodes, start=cell.inputs):
        read = [(edge.source, edge.op, state) for edge in node.edges]
        brought = [edge for edge in read if edge[1] != "none" and edge[0] in carrying]
        if brought:
            carrying.add(state)
            forward += brought
    wanted = set(cell.output_states)
    live = []
    for edge in reversed(forward):
        if edge[2] in wanted:
            wanted.add(edge[0])
            live.append(edge)
    return live[::-1]


def _shape(cell: Cell, live: Sequence[tuple[int, str, int]]) -> Iterator[float]:
    """How many states are put out, how deep they lie, and how many ways lead there."""
    deepest: dict[int, int] = dict.fromkeys(range(cell.inputs), 0)
    shallowest = dict(deepest)
    paths = dict.fromkeys(range(cell.inputs), 1)
    before: dict[int, tuple[int, int]] = {}
    for source, op, target in live:
        step = int(op not in _IDLE)
        deep, shallow = deepest[source] + step, shallowest[source] + step
        old = before.get(target, (deep, shallow))
        before[target] = max(old[0], deep), min(old[1], shallow)
        deepest[target], shallowest[target] = before[target]
        paths[target] = paths.get(target, 0) + paths[source]
    ends = [state for state in cell.output_states if state in paths]
    yield float(len(ends))
    yield float(max((deepest[end] for end in ends), default=0))
    yield float(min((shallowest[end] for end in ends), default=0))
    yield sum(deepest[end] for end in ends) / max(1, len(ends))
    yield math.log1p(sum(paths[end] for end in ends))
