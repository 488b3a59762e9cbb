"""What every operation promises, whatever file line it stands on."""

from __future__ import annotations

import pytest
import torch

from search_spaces.cells.genotype import NASNET_OPS, OP_NAMES
from search_spaces.cells.initial_weights import initialize
from search_spaces.cells.layers import Rectified
from search_spaces.cells.ops import make_op, op_names
from search_spaces.cells.skeleton import Skeleton

CASES = [
    pytest.param(name, semantics, id=f"{name}-{semantics}")
    for name in op_names()
    for semantics in ("literal", "nds", "tpu")
]


def drawn(name: str, semantics: str, channels: int, filters: int, stride: int) -> torch.nn.Module:
    operation = make_op(name, channels, filters, stride, Skeleton(op_semantics=semantics))
    initialize(operation, torch.Generator().manual_seed(1))
    return operation


def test_every_name_a_genotype_may_use_is_an_operation() -> None:
    assert set(OP_NAMES) <= set(op_names())
    assert set(NASNET_OPS) <= set(op_names())


@pytest.mark.parametrize(("name", "semantics"), CASES)
@pytest.mark.parametrize(("channels", "filters"), [(8, 8), (6, 9)])
@pytest.mark.parametrize("stride", [1, 2])
def test_it_gives_the_filters_and_the_map_it_is_asked_for(
    name: str, semantics: str, channels: int, filters: int, stride: int
) -> None:
    operation = drawn(name, semantics, channels, filters, stride)
    for height, width in ((8, 8), (7, 10), (1, 3)):
        images = torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(2))
        result = operation(images)
        assert result.shape == (2, filters, -(-height // stride), -(-width // stride))
        assert result.isfinite().all()


@pytest.mark.parametrize(("name", "semantics"), CASES)
def test_it_learns_and_leaves_its_input_alone(name: str, semantics: str) -> None:
    operation = drawn(name, semantics, 8, 8, 2)
    images = torch.randn(2, 8, 9, 9, generator=torch.Generator().manual_seed(3), requires_grad=True)
    before = images.detach().clone()
    result = operation(images)
    assert torch.equal(images, before)
    if name == "none":
        assert not result.any()
        return
    result.square().sum().backward()
    assert images.grad is not None
    assert images.grad.any()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in operation.parameters())


@pytest.mark.parametrize(("name", "semantics"), CASES)
def test_the_relu_may_come_from_outside(name: str, semantics: str) -> None:
    operation = drawn(name, semantics, 8, 8, 1).eval()
    images = torch.randn(2, 8, 5, 5, generator=torch.Generator().manual_seed(4))
    if isinstance(operation, Rectified):
        assert torch.equal(operation(images), operation.after_relu(images.relu()))


@pytest.mark.parametrize(("name", "semantics"), CASES)
def test_convolutions_have_no_bias_and_batch_norm_is_affine(name: str, semantics: str) -> None:
    for module in drawn(name, semantics, 6, 8, 2).modules():
        if isinstance(module, torch.nn.Conv2d):
            assert module.bias is None
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.affine
