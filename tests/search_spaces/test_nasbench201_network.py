"""NAS-Bench-201's skeleton against the counts of its published table, and its details."""

from __future__ import annotations

import csv
import gzip
import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from search_spaces.cells.cell import State
from search_spaces.cells.cost import macs, network_on_meta, params
from search_spaces.cells.genotype import Cell, Edge, Genotype, Node
from search_spaces.cells.network import SKELETONS, NasBench201Network, build_network
from search_spaces.errors import NetworkError

OURS = {
    "none": "none",
    "skip_connect": "identity",
    "nor_conv_1x1": "conv_1x1",
    "nor_conv_3x3": "conv_3x3",
    "avg_pool_3x3": "avg_3x3",
}
FIRST = (
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
    "+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
)
SKELETON = SKELETONS["nasbench201"]
TINY = replace(SKELETON, filters=4, cells_per_stage=1, image_size=8, classes=3)


def genotype_of(text: str) -> Genotype:
    nodes = []
    for part in text.split("+"):
        pairs = (edge.split("~") for edge in part.strip("|").split("|"))
        nodes.append(Node(tuple(Edge(int(source), OURS[op]) for op, source in pairs)))
    return Genotype("nasbench201", {"normal": Cell(tuple(nodes), (3,), inputs=1)})


@cache
def table() -> list[dict[str, str]]:
    """The published table, from NAS_DATA or a folder `shared/data` beside the repository."""
    places = [Path(os.environ.get("NAS_DATA", ".")), Path(__file__).parents[3] / "shared" / "data"]
    file = next(
        (
            place / "nasbench201.csv.gz"
            for place in places
            if (place / "nasbench201.csv.gz").is_file()
        ),
        None,
    )
    if file is None:
        pytest.skip("nasbench201.csv.gz is not here; set NAS_DATA to the folder that has it")
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_architecture_0_has_its_published_count() -> None:
    network = network_on_meta(genotype_of(FIRST), SKELETON)
    assert params(network) == 129_306
    assert macs(network, (3, 32, 32)) == 15_647_360


@pytest.mark.parametrize(("classes", "more"), [(100, 5_850), (120, 7_150)])
def test_other_class_counts(classes: int, more: int) -> None:
    assert (
        params(network_on_meta(genotype_of(FIRST), replace(SKELETON, classes=classes)))
        == 129_306 + more
    )


@pytest.mark.parametrize("rows", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_counts_of_the_published_table(rows: int) -> None:
    rng = np.random.Generator(np.random.PCG64(rows))
    for index in rng.choice(len(table()), size=rows, replace=False):
        row = table()[index]
        network = network_on_meta(genotype_of(row["arch_str"]), SKELETON)
        assert params(network) == int(row["params"]), row["arch_str"]
        if index % 10 == 0:
            assert macs(network, (3, 32, 32)) == int(row["macs"]), row["arch_str"]


@pytest.mark.parametrize("size", [8, 9, 13])
def test_it_runs_at_any_size_and_learns(size: int) -> None:
    skeleton = replace(TINY, image_size=size, channels=1)
    network = build_network(genotype_of(FIRST), skeleton)
    assert isinstance(network, NasBench201Network)
    network.begin_step(3, 2, torch.Generator())
    logits, extra = network.forward_with_auxiliary(
        torch.randn(2, 1, size, size, generator=torch.Generator())
    )
    assert extra is None
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_a_cell_of_nothing_still_makes_a_network() -> None:
    nothing = genotype_of("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    network = build_network(nothing, TINY)
    network(torch.zeros(2, 3, 8, 8)).sum().backward()
    assert params(network_on_meta(nothing, SKELETON)) == 73_306


def test_identity_cells_are_the_network_without_cells() -> None:
    straight = "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"
    network = build_network(genotype_of(straight), TINY).eval()
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    x = network.stem(images)
    for block in (network.cells[1], network.cells[3]):
        inside = block.first.first(x.relu()).relu()
        x = block.short_cut(torch.nn.functional.avg_pool2d(x, 2)) + block.second.first(inside)
    expected = network.head.linear(network.bn(x).relu().mean(dim=(2, 3)))
    torch.testing.assert_close(network(images), expected)


def test_edges_are_summed() -> None:
    both = "|skip_connect~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|skip_connect~2|"
    twice = build_network(genotype_of(both), TINY)
    state = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(twice.cells[0](State(state)).map, 2 * state)


def test_a_cell_with_two_outputs_is_refused() -> None:
    nodes = (Node((Edge(0, "conv_1x1"),)), Node((Edge(0, "conv_1x1"),)))
    genotype = Genotype("nasbench201", {"normal": Cell(nodes, inputs=1)})
    with pytest.raises(
        NetworkError, match=r"needs a cell with one output state, but its outputs are \(1, 2\); use"
    ):
        build_network(genotype, TINY)
