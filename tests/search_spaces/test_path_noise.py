"""ScheduledDropPath and dropout: the schedule, what is exempt, and where the randomness comes
from."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from search_spaces import zoo
from search_spaces.cells.network import SKELETONS, Network, Skeleton
from search_spaces.errors import NetworkError

NASNET_A = zoo.load("nasnet-a").genotype
TINY = Skeleton(
    filters=4, cells_per_stage=1, image_size=8, classes=3, drop_path_keep=0.6, drop_path_steps=100
)
IMAGES = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def drawn(network: Network, step: int, seed: int = 0, batch: int = 4) -> Network:
    network.begin_step(step, batch, torch.Generator().manual_seed(seed))
    return network


def by_cell(network: Network, values: torch.Tensor) -> list[list[float]]:
    """The values of each cell's droppable edges."""
    return [
        [float(values[row]) for node in cell for row in node if row is not None]
        for cell in network.noise.rows
    ]


@pytest.mark.parametrize("step", [0, 25, 100, 1000])
def test_the_schedule_has_time_and_depth(step: int) -> None:
    network = drawn(Network(NASNET_A, TINY), step)
    cells = len(network.cells)
    for index, keeps in enumerate(by_cell(network, network.noise.keep())):
        expected = 1 - min(1, step / 100) * (index + 1) / cells * 0.4
        assert keeps == pytest.approx([expected] * len(keeps))


def test_depth_can_be_switched_off() -> None:
    network = drawn(Network(NASNET_A, replace(TINY, drop_path_depth=False)), 50)
    assert network.noise.keep().unique().tolist() == pytest.approx([0.8])


def test_all_cells_count_the_stems_too() -> None:
    skeleton = replace(SKELETONS["imagenet-large"], drop_path_steps=10, filters=8)
    with torch.device("meta"):
        assert len(Network(NASNET_A, skeleton).cells) == 3 * 6 + 4


def test_identity_is_exempt_even_where_strided() -> None:
    network = Network(NASNET_A, TINY)
    droppable = [
        sum(row is not None for node in cell for row in node) for cell in network.noise.rows
    ]
    assert droppable == [
        8,
        9,
        8,
        9,
        8,
    ]  # of 10 edges; the raw first cell's identity is a convolution and exempt too
    amoeba = Network(zoo.load("amoebanet-a").genotype, replace(TINY, op_semantics="tpu"))
    assert sum(row is not None for node in amoeba.noise.rows[0] for row in node) == 8


def test_masks_keep_a_share_and_make_up_for_the_rest() -> None:
    network = drawn(Network(NASNET_A, TINY), 100, batch=4000)
    masks = network.noise.path_masks(torch.empty(4000, 1))
    for cell, keeps in zip(masks, by_cell(network, network.noise.keep()), strict=True):
        assert cell is not None
        for mask, keep in zip(
            [m for node in cell for m in node if m is not None], keeps, strict=True
        ):
            assert mask.shape == (4000, 1, 1, 1)
            assert mask.unique().tolist() == pytest.approx([0.0, 1 / keep])
            assert mask.mean().item() == pytest.approx(1.0, abs=0.07)
            assert (mask > 0).float().mean().item() == pytest.approx(keep, abs=0.04)


def test_samples_and_edges_draw_for_themselves() -> None:
    network = drawn(
        Network(NASNET_A, replace(TINY, drop_path_depth=False, drop_path_keep=0.5)), 100, batch=64
    )
    cells = network.noise.path_masks(torch.empty(64, 1))
    masks = [
        mask.flatten() > 0
        for cell in cells
        for node in cell or ()
        for mask in node
        if mask is not None
    ]
    assert len({tuple(mask.tolist()) for mask in masks}) == len(masks)
    assert all(0 < mask.sum() < 64 for mask in masks)


def test_an_edges_result_is_multiplied() -> None:
    network = Network(NASNET_A, TINY).double()
    node, cell = network.cells[0].nodes[0], network.noise.rows[0][0]
    assert None not in cell
    results: list[torch.Tensor] = []
    for edge in node.edges:
        edge.second.register_forward_hook(
            lambda _module, _inputs, output: results.append(output.clone())
        )
    totals: list[torch.Tensor] = []
    node.register_forward_hook(lambda _module, _inputs, output: totals.append(output.clone()))
    drawn(network, 100)(IMAGES.double())
    masks = network.noise.path_masks(IMAGES)[0]
    assert masks is not None
    first, second = masks[0]
    assert first is not None
    assert second is not None
    torch.testing.assert_close(
        totals[0], results[0] * first.double() + results[1] * second.double()
    )


def test_at_step_0_nothing_is_dropped() -> None:
    network, plain = Network(NASNET_A, TINY), Network(NASNET_A, replace(TINY, drop_path_keep=1.0))
    assert torch.equal(drawn(network, 0)(IMAGES), plain(IMAGES))


def test_evaluation_and_a_schedule_without_length_drop_nothing() -> None:
    network = drawn(Network(NASNET_A, replace(TINY, dropout_keep=0.5)), 100)
    plain = Network(NASNET_A, replace(TINY, drop_path_keep=1.0))
    assert torch.equal(network.eval()(IMAGES), plain.eval()(IMAGES))
    for preset in SKELETONS.values():
        assert not preset.drops_paths


def test_drawn_noise_decides_everything() -> None:
    network = Network(NASNET_A, replace(TINY, dropout_keep=0.5))
    network.cells.requires_grad_(False)
    before = torch.random.get_rng_state()
    first, again, other = (drawn(network, 100, seed)(IMAGES) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_without_drawn_noise_the_default_generator_is_used() -> None:
    network = Network(NASNET_A, TINY)
    network.begin_step(100, 4)
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(3)
        first = network(IMAGES)
        torch.random.default_generator.manual_seed(3)
        assert torch.equal(network(IMAGES), first)
        assert not torch.equal(network(IMAGES), first)


def test_noise_of_another_batch_size_is_refused() -> None:
    network = drawn(Network(NASNET_A, TINY), 1, batch=3)
    with pytest.raises(
        NetworkError, match=r"noise was drawn for a batch of other size: .*call begin_step"
    ):
        network(IMAGES)


def test_noise_is_drawn_in_place_for_captured_graphs() -> None:
    network = drawn(Network(NASNET_A, replace(TINY, dropout_keep=0.5)), 1, seed=1)
    paths, features = network.noise.paths, network.noise.features
    assert paths is not None
    assert features is not None
    before = paths.clone()
    drawn(network, 2, seed=2)
    assert network.noise.paths is paths
    assert network.noise.features is features
    assert not torch.equal(paths, before)


def test_dropout_keeps_a_share_of_the_features() -> None:
    network = drawn(
        Network(NASNET_A, replace(TINY, drop_path_keep=1.0, dropout_keep=0.5)), 0, batch=64
    )
    mask = network.noise.feature_mask(torch.empty(64, 1))
    assert mask is not None
    assert mask.shape == (64, network.head.channels)
    assert mask.unique().tolist() == [0.0, 2.0]
    assert mask.mean().item() == pytest.approx(1.0, abs=0.05)


def test_state_dicts_do_not_know_noise() -> None:
    assert not any("noise" in name for name in Network(NASNET_A, TINY).state_dict())
