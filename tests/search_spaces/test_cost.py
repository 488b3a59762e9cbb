"""Counts by running: against torch's own counter, and to the published digit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from benchmarks._plain_network import PlainNetwork
from parts.drawn_networks import random_genotype
from search_spaces import references, zoo
from search_spaces.cells import cost as costs
from search_spaces.cells.genotype import Cell, Edge, Genotype, Node
from search_spaces.cells.network import SKELETONS, Skeleton, build_network

NASNET_A = zoo.load("nasnet-a").genotype
TINY = Skeleton(filters=4, cells_per_stage=1, image_size=16, classes=3)


@pytest.mark.parametrize(
    ("name", "changes", "trainable", "with_statistics", "macs"),
    [
        ("cifar", {}, 3_346_538, 3_383_786, 544_333_312),
        ("imagenet-mobile", {}, 5_289_978, 5_326_716, 563_638_816),
        ("imagenet-large", {}, 88_753_150, 88_949_818, 23_783_414_658),
        ("imagenet-mobile", {"classes": 1001}, 5_291_035, 5_327_773, 563_638_816 + 1056),
        ("imagenet-large", {"classes": 1001}, 88_757_183, 88_953_851, 23_783_414_658 + 4032),
    ],
)
def test_nasnet_a(
    name: str, changes: dict[str, int], trainable: int, with_statistics: int, macs: int
) -> None:
    skeleton = replace(SKELETONS[name], **changes)
    network = costs.network_on_meta(NASNET_A, skeleton)
    assert costs.params(network) == trainable
    assert costs.params_with_statistics(network) == with_statistics
    assert costs.macs(network, (3, skeleton.image_size, skeleton.image_size)) == macs


@pytest.mark.parametrize(
    ("name", "head"),
    [("cifar", 1_631_498), ("imagenet-mobile", 2_411_240), ("imagenet-large", 4_567_784)],
)
def test_the_auxiliary_head_is_counted_apart(name: str, head: int) -> None:
    bare = costs.network_on_meta(NASNET_A, SKELETONS[name])
    network = costs.network_on_meta(NASNET_A, replace(SKELETONS[name], auxiliary=True))
    assert costs.auxiliary_params(network) == head
    assert costs.auxiliary_params(bare) == 0
    assert costs.params(network) == costs.params(bare)
    assert costs.params_with_statistics(network) == costs.params_with_statistics(bare)


@pytest.mark.parametrize("seed", range(8))
def test_multiply_adds_agree_with_torchs_counter(seed: int) -> None:
    rng = np.random.Generator(np.random.PCG64(seed))
    skeleton = replace(TINY, image_size=int(rng.integers(8, 20)), channels=int(rng.integers(1, 5)))
    network = build_network(random_genotype(rng), skeleton).eval()
    shape = (skeleton.channels, skeleton.image_size, skeleton.image_size)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(torch.zeros(1, *shape))
    assert costs.macs(network, shape) == counter.get_total_flops() // 2


def test_a_plain_module_is_counted_too() -> None:
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, groups=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(4 * 36, 5),
    )
    assert costs.macs(module, (3, 8, 8)) == 4 * 36 * 27 + 4 * 36 * 5
    assert costs.params(module) == 4 * 27 + 4 + 4 * 36 * 5 + 5


def test_activations_of_a_chain_by_hand() -> None:
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 1, bias=False), torch.nn.ReLU(), torch.nn.Conv2d(2, 8, 1)
    )
    image, middle, last = 4 * 16, 4 * 32, 4 * 128
    assert (
        costs.inference_bytes(module, (1, 4, 4)) == image + middle + last
    )  # the image is never given back
    assert (
        costs.training_bytes(module, (1, 4, 4)) == image + middle
    )  # ReLU's result, which both keep


def test_activations_grow_with_depth_in_training_only() -> None:
    shallow, deep = (costs.cost(NASNET_A, replace(TINY, cells_per_stage=n)) for n in (2, 6))
    assert deep.training_bytes > 2 * shallow.training_bytes
    assert deep.inference_bytes == shallow.inference_bytes


@pytest.mark.parametrize("name", ["a cell", "vgg-16", "resnet-18"])
def test_bytes_of_training_are_what_torch_really_keeps(name: str) -> None:
    made = (
        build_network(NASNET_A, replace(TINY, image_size=32, auxiliary=True))
        if name == "a cell"
        else references.build(name, image_size=32, classes=3)
    )
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        made(torch.zeros(2, 3, 32, 32)).sum()
    for constant in (*made.parameters(), *made.buffers()):
        kept.pop(constant.untyped_storage()._cdata, None)
    real = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    assert costs.training_bytes(made, (3, 32, 32)) == real // 2


def test_measuring_changes_nothing() -> None:
    network = build_network(NASNET_A, TINY)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    measured = costs.cost_of(network, (3, 16, 16))
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert measured == costs.cost(NASNET_A, TINY)


@pytest.mark.parametrize("name", ["cifar", "imagenet-mobile", "nasbench201"])
def test_the_table_adds_up(name: str) -> None:
    genotype = NASNET_A
    if name == "nasbench201":
        genotype = Genotype(name, {"normal": Cell((Node((Edge(0, "conv_3x3"),)),), inputs=1)})
    skeleton = SKELETONS[name]
    rows, network = (
        costs.per_cell_table(genotype, skeleton),
        costs.network_on_meta(genotype, skeleton),
    )
    assert [row.role for row in rows] == ["stem", *(place.role for place in network.places), "head"]
    assert sum(row.params for row in rows) == costs.params(network)
    assert sum(row.macs for row in rows) == costs.macs(
        network, (3, skeleton.image_size, skeleton.image_size)
    )
    assert rows[-1].output == (skeleton.classes,)


def test_the_table_of_nasnet_a_mobile() -> None:
    rows = costs.per_cell_table(NASNET_A, SKELETONS["imagenet-mobile"])
    sides = [row.output[1] for row in rows[:-1]]
    assert sides == [111, 56, 28, *[28] * 4, *[14] * 5, *[7] * 5]
    assert [row.output[0] for row in rows[:-1]] == [
        32,
        44,
        88,
        *[264] * 4,
        352,
        *[528] * 4,
        704,
        *[1056] * 4,
    ]
    assert [row.params for row in rows[:3]] == [928, 8_534, 13_948]


def test_sharing_saves_memory() -> None:
    skeleton = Skeleton(cells_per_stage=2, filters=16)
    with torch.device("meta"):
        plain = PlainNetwork(NASNET_A, skeleton)
    ours = costs.cost(NASNET_A, skeleton)
    assert ours.macs == costs.macs(plain, (3, 32, 32))
    assert ours.training_bytes < 0.75 * costs.training_bytes(plain, (3, 32, 32))
    assert ours.inference_bytes <= costs.inference_bytes(plain, (3, 32, 32))
