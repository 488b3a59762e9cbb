"""Proxies: what each computes, on networks small enough to compute it by hand, and that none
stumbles over a cell."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nas import registry
from nas.errors import NasError
from nas.evaluators.proxies import Proxy as Function
from nas.evaluators.proxies import Untrained
from nas.evaluators.proxy import Proxy
from nas.seeding import numpy_rng, torch_rng
from search_spaces.cells.cost import cost
from search_spaces.cells.genotype import Cell, Edge, Genotype, Node
from search_spaces.cells.skeleton import Skeleton
from search_spaces.nasnet import NasnetSpace

PROXIES = registry.names("proxy")
QUICK: dict[str, Any] = {"skeleton": {"filters": 2}, "batch": 8, "device": "cpu"}
SPACE = NasnetSpace(blocks=2)
DRAWN = SPACE.sample(numpy_rng(0, "proxies"))


def score(name: str, space: Any, genotype: Genotype, folder: Path, seed: int = 3) -> float:
    judge = Proxy(space, proxy=name, **QUICK)
    return judge.evaluate(genotype, seed=seed, workdir=folder, report=lambda *_: True).score


def one_cell(*edges: Edge) -> Genotype:
    cell = Cell((Node(edges),))
    return Genotype("nasnet", {"normal": cell, "reduction": cell})


HARD_CASES = {
    "the older input is unread": one_cell(Edge(1, "sep_3x3"), Edge(1, "max_3x3")),
    "the newer input is unread": one_cell(Edge(0, "identity"), Edge(0, "avg_3x3")),
    "nothing flows": one_cell(Edge(0, "none"), Edge(1, "none")),
}


@pytest.mark.parametrize("name", PROXIES)
def test_every_cell_gets_a_finite_number_that_the_seed_fixes(name: str, tmp_path: Path) -> None:
    for genotype in HARD_CASES.values():
        assert math.isfinite(score(name, SPACE, genotype, tmp_path))
    assert score(name, SPACE, DRAWN, tmp_path) == score(name, SPACE, DRAWN, tmp_path)


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("space", ["nasbench201", "darts"])
def test_other_spaces_are_judged_too(name: str, space: str, tmp_path: Path) -> None:
    known = registry.load("space", space)()
    assert math.isfinite(score(name, known, known.sample(numpy_rng(1, "proxies")), tmp_path))


def test_counting_counts(tmp_path: Path) -> None:
    spent = cost(DRAWN, Proxy(SPACE, **QUICK).skeleton)
    assert score("params", SPACE, DRAWN, tmp_path) == spent.params
    assert score("macs", SPACE, DRAWN, tmp_path) == spent.macs
    ends = sum(len(cell.loose_ends) for cell in DRAWN.cells.values())
    assert score("loose-ends", SPACE, DRAWN, tmp_path) == ends


def test_all_children_see_one_batch_and_have_weights_of_their_own(tmp_path: Path) -> None:
    pictures = [
        Proxy(SPACE, batch_seed=seed, **QUICK)._pictures(Proxy(SPACE, **QUICK)._computation())[0]
        for seed in (0, 0, 1)
    ]
    assert torch.equal(pictures[0], pictures[1])
    assert not torch.equal(pictures[0], pictures[2])
    scores = {score("grad-norm", SPACE, DRAWN, tmp_path, seed) for seed in (1, 2)}
    assert len(scores) == 2


# ------------------------------------------------------------------ by hand


def layers(*weights: torch.Tensor) -> list[nn.Linear]:
    made = [nn.Linear(weight.shape[1], weight.shape[0], bias=False) for weight in weights]
    for layer, weight in zip(made, weights, strict=True):
        layer.weight.data = weight.clone()
    return made


FIRST = torch.tensor([[1.0, -2.0], [0.5, 1.0], [-1.0, 0.25]])
SECOND = torch.tensor([[1.0, 0.5, -1.0], [-0.5, 2.0, 1.0]])
IMAGES = torch.tensor([[1.0, 2.0], [-1.0, 0.5], [0.5, -1.5]])
LABELS = torch.tensor([0, 1, 0])


def untrained() -> Untrained:
    def build() -> nn.Module:
        return nn.Sequential(*layers(FIRST, SECOND))

    return Untrained(DRAWN, Skeleton(), build, IMAGES, LABELS, seed=0)


def computed(name: str, child: Untrained) -> float:
    function: Function = registry.load("proxy", name)
    return function(child)


def loss(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(IMAGES @ first.T @ second.T, LABELS)


def slopes() -> tuple[torch.Tensor, ...]:
    weights = FIRST.clone().requires_grad_(), SECOND.clone().requires_grad_()
    return torch.autograd.grad(loss(*weights), weights)


def test_sums_over_gradients_are_what_they_say() -> None:
    first, second = slopes()
    assert computed("grad-norm", untrained()) == pytest.approx(float(first.norm() + second.norm()))
    both = (FIRST * first).abs().sum() + (SECOND * second).abs().sum()
    assert computed("snip", untrained()) == pytest.approx(float(both))


def test_grasp_is_what_differences_of_gradients_say() -> None:
    first, second = (slope.double() for slope in slopes())
    step = 1e-4

    def at(sign: float) -> tuple[torch.Tensor, ...]:
        moved = (
            (FIRST.double() + sign * step * first).requires_grad_(),
            (SECOND.double() + sign * step * second).requires_grad_(),
        )
        answer = nn.functional.cross_entropy(IMAGES.double() @ moved[0].T @ moved[1].T, LABELS)
        return torch.autograd.grad(answer, moved)

    ahead, behind = at(1), at(-1)
    curved = [(a - b) / (2 * step) for a, b in zip(ahead, behind, strict=True)]
    expected = -sum(float((w * c).sum()) for w, c in zip((FIRST, SECOND), curved, strict=True))
    assert computed("grasp", untrained()) == pytest.approx(expected, rel=1e-4)


def test_fisher_is_half_the_square_of_activation_times_gradient() -> None:
    hidden = (IMAGES @ FIRST.T).requires_grad_()
    logits = (hidden @ SECOND.T).detach().requires_grad_()
    nn.functional.cross_entropy(logits, LABELS).backward()
    assert logits.grad is not None
    pairs = ((hidden.detach(), logits.grad @ SECOND), (logits.detach(), logits.grad))
    expected = sum(float(((a * g) ** 2).mean(0).sum() / 2) for a, g in pairs)
    assert computed("fisher", untrained()) == pytest.approx(expected, rel=1e-5)
    turned = -(math.log(expected) + 2 * math.log(computed("grad-norm", untrained())))
    assert computed("turned-gradients", untrained()) == pytest.approx(turned, rel=1e-5)


def test_as_much_flows_through_each_layer_as_through_the_whole() -> None:
    flow = float((torch.ones(1, 2) @ FIRST.abs().T @ SECOND.abs().T).sum())
    assert computed("synflow", untrained()) == pytest.approx(math.log1p(2 * flow))


@pytest.mark.parametrize("name", ["jacov", "nwot"])
def test_images_that_look_alike_count_less(name: str) -> None:
    images = torch.randn((3, 8), generator=torch_rng(0, "images"))

    def build() -> nn.Module:
        drawn = torch.randn((12, 8), generator=torch_rng(0, "weights"))
        first, second = layers(drawn, torch.ones(2, 12))
        return nn.Sequential(first, nn.ReLU(), second)

    def of(seen: torch.Tensor) -> float:
        return computed(name, Untrained(DRAWN, Skeleton(), build, seen, LABELS, seed=0))

    assert of(images) > of(images[:1].repeat(3, 1))


def test_zen_says_what_it_needs() -> None:
    with pytest.raises(NasError, match="proxy zen looks at what enters a network's `head`"):
        computed("zen", untrained())


def test_a_name_that_is_no_proxy_is_refused_with_those_there_are() -> None:
    with pytest.raises(NasError, match=r"no proxy is called 'grap'; there are fisher, grad-norm"):
        Proxy(SPACE, proxy="grap")
