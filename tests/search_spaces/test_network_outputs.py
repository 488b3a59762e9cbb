"""Fast networks give the numbers of the plain ones: outputs, gradients, statistics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks._plain_network import PlainNetwork, transplant
from parts.drawn_networks import enliven, random_genotype
from search_spaces import zoo
from search_spaces.cells.genotype import Cell, Genotype
from search_spaces.cells.network import Network, Skeleton, build_network

SHARING = ("identity", "avg_3x3", "max_3x3", "sep_3x3", "none")


def random_skeleton(rng: np.random.Generator) -> Skeleton:
    layout = str(rng.choice(["cifar", "imagenet"]))
    cells = int(rng.integers(1, 3))
    replaces = bool(rng.random() < 0.3) and cells > 1
    return Skeleton(
        layout=layout,
        cells_per_stage=cells,
        filters=int(rng.choice([4, 5, 6] if layout == "cifar" else [8, 9, 11])),
        stem_filters=[None, 4, 9][rng.integers(3)],
        classes=3,
        image_size=int(rng.choice([8, 9, 13] if layout == "cifar" else [33, 48, 47])),
        channels=int(rng.integers(1, 5)),
        op_semantics=str(rng.choice(["literal", "nds", "tpu"])),
        reduction="replace" if replaces else "extra",
        skip_reduction_input=bool(rng.random() < 0.5),
        first_input=str(rng.choice(["raw", "stem"])),
        always_fit=bool(rng.random() < 0.3),
        relu_before_pool=bool(rng.random() < 0.7),
        bn_eps=1e-3,
        bn_momentum=0.3,
    )


def compare(genotype: Genotype, skeleton: Skeleton, seed: int) -> None:
    fast = Network(genotype, skeleton, torch.Generator().manual_seed(seed)).double()
    plain = PlainNetwork(genotype, skeleton).double()
    enliven(fast, seed)
    transplant(fast, plain)
    size, generator = skeleton.image_size, torch.Generator().manual_seed(seed)
    images = torch.randn(6, skeleton.channels, size, size, dtype=torch.float64, generator=generator)
    ours, theirs = fast.eval()(images), plain.eval()(images)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    gradients = [
        torch.autograd.grad(
            logits.square().sum(),
            list(network.parameters()),
            allow_unused=True,
            materialize_grads=True,
        )
        for logits, network in ((ours, fast), (theirs, plain))
    ]
    scale = max(float(gradient.abs().max()) for gradient in gradients[1])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9 * scale)
    # Batch norm over a few values enlarges what differs in the last bit from layer to layer: hence
    # the tolerance.
    torch.testing.assert_close(fast.train()(images), plain.train()(images), rtol=1e-5, atol=1e-5)
    # That pass has changed the statistics, of both alike.
    torch.testing.assert_close(fast.eval()(images), plain.eval()(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(24))
def test_random_genotypes(seed: int) -> None:
    rng = np.random.Generator(np.random.PCG64(seed))
    genotype = random_genotype(rng, SHARING) if seed % 3 == 0 else random_genotype(rng)
    compare(genotype, random_skeleton(rng), seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(24, 400))
def test_many_random_genotypes(seed: int) -> None:
    test_random_genotypes(seed)


@pytest.mark.parametrize("name", zoo.names())
def test_published_cells(name: str) -> None:
    entry = zoo.load(name)
    settings = {"alignment": "same", "factorized_path": "pad-crop", "dropout_keep": 1.0}
    settings |= {"filters": 8, "cells_per_stage": 2, "classes": 3}
    size = (
        33 if any(skeleton["layout"] == "imagenet" for skeleton in entry.skeletons.values()) else 9
    )
    published = list(entry.skeletons.values())[-1]
    compare(entry.genotype, Skeleton(**{**published, **settings, "image_size": size}), 0)  # type: ignore[arg-type]


def test_a_cell_may_put_out_a_single_state_or_its_input() -> None:
    nodes = zoo.load("nasnet-a").genotype.cells["normal"].nodes
    for outputs in ((0,), (1,), (6,), (0, 1)):
        cell = Cell(nodes, outputs)
        genotype = Genotype("nasnet", {"normal": cell, "reduction": cell})
        for stem_filters in (
            4,
            None,
        ):  # 4: the shapes of prev fit already, so state 0 is the older output itself
            compare(
                genotype,
                Skeleton(filters=4, cells_per_stage=2, stem_filters=stem_filters, image_size=8),
                1,
            )


def test_conventions_change_outputs_and_not_counts() -> None:
    genotype, skeleton = (
        zoo.load("nasnet-a").genotype,
        Skeleton(filters=4, cells_per_stage=1, image_size=8),
    )
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    reference = build_network(genotype, skeleton).eval()
    for changes in (
        {"alignment": "symmetric"},
        {"average_divisor": "padded"},
        {"max_padding": "zero"},
        {"relu_before_pool": False},
    ):
        other = build_network(genotype, replace(skeleton, **changes)).eval()  # type: ignore[arg-type]
        other.load_state_dict(reference.state_dict())
        assert not torch.allclose(other(images), reference(images))
    same = build_network(genotype, replace(skeleton, factorized_path="crop")).eval()
    same.load_state_dict(reference.state_dict())
    assert torch.equal(same(images), reference(images))  # even maps


@pytest.mark.parametrize("name", zoo.names())
def test_gradients_of_a_training_step(name: str) -> None:
    genotype, skeleton = (
        zoo.load(name).genotype,
        Skeleton(filters=4, cells_per_stage=1, image_size=16, classes=3),
    )
    fast = Network(genotype, skeleton, torch.Generator().manual_seed(1)).double()
    plain = PlainNetwork(genotype, skeleton).double()
    transplant(fast, plain)
    images = torch.randn(
        8, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    )
    fast(images).square().sum().backward()
    plain(images).square().sum().backward()
    layers = (torch.nn.Conv2d, torch.nn.BatchNorm2d, torch.nn.Linear)
    pairs = zip(
        *([m for m in network.modules() if isinstance(m, layers)] for network in (fast, plain)),
        strict=True,
    )
    for ours, theirs in pairs:
        assert ours.weight.grad is not None
        assert theirs.weight.grad is not None
        assert ours.weight.grad.any()
        torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=1e-6, atol=1e-9)
