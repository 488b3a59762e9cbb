"""Random genotypes and lively networks for tests."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from search_spaces.cells.genotype import Cell, Edge, Genotype, Node
from search_spaces.cells.ops import op_names


def random_cell(rng: np.random.Generator, ops: tuple[str, ...] = op_names()) -> Cell:
    """One to five nodes of one to three edges; its outputs are loose ends or any states, the inputs
    among them."""
    count = int(rng.integers(1, 6))
    nodes = tuple(
        Node(
            tuple(
                Edge(int(rng.integers(2 + k)), str(rng.choice(ops)))
                for _ in range(rng.choice([1, 2, 2, 2, 3]))
            ),
            "concat" if rng.random() < 0.4 else "add",
        )
        for k in range(count)
    )
    if rng.random() < 0.4:
        return Cell(nodes)
    listed = rng.choice(2 + count, size=int(rng.integers(1, 3 + count)), replace=False)
    return Cell(nodes, tuple(sorted(int(state) for state in listed)))


def random_genotype(rng: np.random.Generator, ops: tuple[str, ...] = op_names()) -> Genotype:
    return Genotype("nasnet", {"normal": random_cell(rng, ops), "reduction": random_cell(rng, ops)})


def enliven(network: nn.Module, seed: int = 0) -> None:
    """Gives batch norm scales, shifts and statistics that tell layers apart."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -1.0, 1.0),
                (module.running_mean, -1.0, 1.0),
                (module.running_var, 0.5, 2.0),
            ):
                assert values is not None
                with torch.no_grad():
                    values.uniform_(low, high, generator=generator)
