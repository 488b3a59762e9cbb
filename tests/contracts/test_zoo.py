"""What every published cell's file promises."""

from __future__ import annotations

import pytest
import torch

from search_spaces import zoo
from search_spaces.cells.cost import macs, params, params_with_statistics
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.network import Network, Skeleton, build_network
from search_spaces.errors import NasError

UNITS = {"M": 10**6, "B": 10**9}
# Counts that no convention we know reproduces (they are recorded as published), and slips of
# rounding in print.
NOT_REPRODUCED = {
    ("amoebanet-c", "imagenet-mobile", "macs"),
    ("pnasnet-5", "imagenet-mobile", "macs"),  # 587.3M, quoted as 588M
    ("pnasnet-5", "imagenet-large", "macs"),  # 24.94B, printed as 25.0B
    ("enas", "cifar", "params"),
}
SLACK = {
    ("amoebanet-a", "imagenet-largest", "params"): 0.0025
}  # 468.2M, 468.6M with statistics, printed as 469M


def on_meta(name: str, skeleton: str) -> Network:
    entry = zoo.load(name)
    with torch.device("meta"):
        network = build_network(entry.genotype, Skeleton(**entry.skeletons[skeleton]))  # type: ignore[arg-type]
    assert isinstance(network, Network)
    return network


@pytest.mark.parametrize("name", zoo.names())
def test_a_file_is_whole(name: str) -> None:
    entry = zoo.load(name)
    assert entry.name == name
    assert entry.title
    assert "arXiv" in entry.source
    assert Genotype.from_json(entry.genotype.to_json()) == entry.genotype
    assert len(entry.genotype.key) > 8
    assert set(entry.published) == set(entry.skeletons) != set()


@pytest.mark.parametrize("name", zoo.names())
def test_its_cells_make_networks_that_run(name: str) -> None:
    entry = zoo.load(name)
    for settings in entry.skeletons.values():
        small = {**settings, "cells_per_stage": 1, "filters": 8, "image_size": 32, "classes": 3}
        network = build_network(entry.genotype, Skeleton(**small))  # type: ignore[arg-type]
        assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "skeleton", "figure", "printed"),
    [
        (name, skeleton, figure, printed)
        for name in zoo.names()
        for skeleton, figures in zoo.load(name).published.items()
        for figure, printed in figures.items()
        if figure in ("params", "params_with_statistics", "macs")
        and (name, skeleton, figure) not in NOT_REPRODUCED
    ],
)
def test_its_published_counts_come_out_to_the_printed_digit(
    name: str, skeleton: str, figure: str, printed: str
) -> None:
    network = on_meta(name, skeleton)
    size = network.skeleton.image_size
    measured = {
        "params": lambda: params(network),
        "params_with_statistics": lambda: params_with_statistics(network),
        "macs": lambda: macs(network, (3, size, size)),
    }[figure]()
    value, unit = float(printed[:-1]), UNITS[printed[-1]]
    decimals = len(printed[:-1].partition(".")[2])
    half_a_digit = 0.5 * 10**-decimals * unit
    slack = SLACK.get((name, skeleton, figure), 0.0) * measured
    assert abs(measured - value * unit) <= half_a_digit + slack


def test_an_unknown_cell_is_refused() -> None:
    with pytest.raises(
        NasError,
        match=r"no published cell is called 'nasnet'; there are .* did you mean 'nasnet-a'\?",
    ):
        zoo.load("nasnet")
