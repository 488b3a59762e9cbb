"""What every operation promises."""

from __future__ import annotations

import torch

from nas.seeding import torch_rng
from nas.testing.promises import Promise, keep_all
from search_spaces.cells.genotype import Cell, Edge, Genotype, Node
from search_spaces.cells.initial_weights import initialize
from search_spaces.cells.layers import Rectified
from search_spaces.cells.ops import make_op, op_names
from search_spaces.cells.skeleton import Skeleton

SEMANTICS = ("literal", "nds", "tpu")


def check_op(name: str) -> None:
    """Try every promise of an operation, by its name; its file must have been imported."""
    for semantics in SEMANTICS:
        keep_all(OP_PROMISES, (name, semantics))


Drawn = tuple[str, str]  # a name, and how skeletons may read it


def is_known(drawn: Drawn) -> None:
    """Genotypes, keys and JSON know it by its name."""
    name, _ = drawn
    assert name in op_names()
    edges = (Edge(0, name), Edge(1, "identity"))
    cells = {role: Cell((Node(edges),)) for role in ("normal", "reduction")}
    genotype = Genotype("nasnet", cells)
    assert Genotype.from_json(genotype.to_json()) == genotype
    swapped = {role: Cell((Node(edges[::-1]),)) for role in cells}
    assert Genotype("nasnet", swapped).key == genotype.key


def gives_what_is_asked(drawn: Drawn) -> None:
    """It gives the filters it is asked for, and ceil(size / stride) rows and columns."""
    for channels, filters, stride in ((8, 8, 1), (8, 8, 2), (6, 9, 1), (6, 9, 2)):
        operation = _made(drawn, channels, filters, stride)
        for height, width in ((8, 8), (7, 10), (1, 3)):
            result = operation(_noise(2, channels, height, width))
            expected = (2, filters, -(-height // stride), -(-width // stride))
            assert result.shape == expected, f"{tuple(result.shape)}, expected {expected}"
            assert result.isfinite().all()


def learns(drawn: Drawn) -> None:
    """Gradients reach its input and all its weights, and its input is left as it was."""
    operation, images = _made(drawn, 8, 8, 2), _noise(2, 8, 9, 9).requires_grad_()
    before = images.detach().clone()
    result = operation(images)
    assert torch.equal(images, before), "it changed its input"
    if drawn[0] == "none":
        assert not result.any()
        return
    result.square().sum().backward()
    assert images.grad is not None
    assert images.grad.any()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in operation.parameters())


def takes_its_relu_from_outside(drawn: Drawn) -> None:
    """What begins with a ReLU (`Rectified`) gives the same where the ReLU was taken before."""
    operation, images = _made(drawn, 8, 8, 1).eval(), _noise(2, 8, 5, 5)
    if isinstance(operation, Rectified):
        assert torch.equal(operation(images), operation.after_relu(images.relu()))


def has_weights_as_ours(drawn: Drawn) -> None:
    """Convolutions have no bias, batch norm is affine."""
    for module in _made(drawn, 6, 8, 2).modules():
        if isinstance(module, torch.nn.Conv2d):
            assert module.bias is None
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.affine


def _made(drawn: Drawn, channels: int, filters: int, stride: int) -> torch.nn.Module:
    name, semantics = drawn
    operation = make_op(name, channels, filters, stride, Skeleton(op_semantics=semantics))
    initialize(operation, torch_rng(0, "testing", "op"))
    return operation


def _noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch_rng(0, "testing", "images"))


OP_PROMISES: tuple[Promise, ...] = (
    is_known,
    gives_what_is_asked,
    learns,
    takes_its_relu_from_outside,
    has_weights_as_ours,
)
