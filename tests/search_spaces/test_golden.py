"""The published networks, to the parameter."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from search_spaces import zoo
from search_spaces.cells.network import SKELETONS, Network, Skeleton


def on_meta(name: str, skeleton: Skeleton) -> Network:
    with torch.device("meta"):
        return Network(zoo.load(name).genotype, skeleton)


def trainable(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


PER_CELL = {  # stem, then (how often, count) from the first cell to the last, then the classifier
    "cifar": (
        2_784,
        [
            (1, 40_384),
            (1, 25_152),
            (4, 28_224),
            (1, 87_168),
            (1, 81_024),
            (1, 93_312),
            (4, 101_504),
            (1, 305_408),
        ],
        [(1, 301_312), (1, 350_464), (4, 383_232)],
        7_690,
    ),
    "imagenet-mobile": (
        928,
        [
            (1, 8_534),
            (1, 13_948),
            (1, 33_000),
            (1, 42_680),
            (2, 50_424),
            (1, 153_648),
            (1, 147_312),
            (1, 170_544),
        ],
        [(2, 186_032), (1, 555_104), (1, 557_920), (1, 650_848), (2, 712_800)],
        1_057_000,
    ),
    "imagenet-large": (
        2_784,
        [
            (1, 49_230),
            (1, 121_128),
            (1, 396_816),
            (1, 537_936),
            (4, 650_832),
            (1, 1_919_904),
            (1, 1_979_040),
        ],
        [
            (1, 2_317_728),
            (4, 2_543_520),
            (1, 7_452_480),
            (1, 7_796_544),
            (1, 9_151_296),
            (4, 10_054_464),
        ],
        4_033_000,
    ),
}


@pytest.mark.parametrize("name", PER_CELL)
def test_every_cell_of_nasnet_a_has_its_published_count(name: str) -> None:
    network = on_meta("nasnet-a", SKELETONS[name])
    stem, first, second, head = PER_CELL[name]
    assert trainable(network.stem) == stem
    assert [trainable(cell) for cell in network.cells] == [
        count for times, count in first + second for _ in range(times)
    ]
    assert trainable(network.head) == head


@pytest.mark.parametrize(
    ("name", "layers"), [("cifar", 244), ("imagenet-mobile", 192), ("imagenet-large", 264)]
)
def test_batch_norm_layers_of_nasnet_a(name: str, layers: int) -> None:
    network = on_meta("nasnet-a", SKELETONS[name])
    assert sum(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules()) == layers


@pytest.mark.parametrize(
    ("name", "skeleton", "count"),
    [
        ("pnasnet-5", "imagenet-large", 86_057_668),  # published 86.1M
        ("pnasnet-5", "imagenet-mobile", 5_064_487),  # 5.1M
        ("amoebanet-a", "imagenet-large", 86_718_797),  # 86.7M
        ("amoebanet-a", "imagenet-mobile", 5_086_930),  # 5.1M
        ("amoebanet-a", "cifar", 3_218_266),  # 3.2M
        ("amoebanet-a", "cifar-small", 2_567_754),  # 2.6M
        ("darts-v2", "cifar", 3_349_342),  # what the released code counts
    ],
)
def test_other_published_networks(name: str, skeleton: str, count: int) -> None:
    settings = zoo.load(name).skeletons[skeleton]
    assert trainable(on_meta(name, Skeleton(**settings))) == count  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"first_input": "stem"}, 3_328_234),  # DARTS
        ({"stem_filters": 32}, 3_318_058),  # titu1994/Keras-NASNet
    ],
)
def test_other_conventions_on_cifar(changes: dict[str, object], count: int) -> None:
    assert trainable(on_meta("nasnet-a", replace(SKELETONS["cifar"], **changes))) == count  # type: ignore[arg-type]
