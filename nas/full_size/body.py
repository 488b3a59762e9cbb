"""A trained body under a new classifier: frozen, or with its last cells open at a smaller rate."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import final

import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.exporting.choosing import Choice
from nas.exporting.source.python_file import names_in_file
from nas.exporting.subject import Subject, fresh_network
from nas.exporting.weights import Weights, load_into, refuse_other_genotype
from nas.full_size.controls import ResidualNetwork
from nas.seeding import torch_rng
from nas.training.augment import Source
from nas.training.checkpoint import read_weights
from nas.training.computation import Computation
from nas.training.datasets import Images
from nas.training.recipe import Recipe
from search_spaces.cells.heads import Head
from search_spaces.cells.initial_weights import initialize
from search_spaces.cells.layers import Linear
from search_spaces.cells.network import NasBench201Network, Network
from search_spaces.cells.skeleton import Skeleton

_PIXELS = 2**18
Bodied = Network | NasBench201Network | ResidualNetwork  # what has a body under a classifier
_OPEN = (
    "classes",
    "image_size",
    "auxiliary",
    "drop_path_keep",
    "drop_path_steps",
    "dropout_keep",
    "bn_momentum",
)


def body_of(
    choice: Choice, weights: Weights, skeleton: Skeleton, seed: int
) -> Network | NasBench201Network:
    """The network of the new task with the trained body; its classifier is drawn anew.

    The body does not depend on the size of images, but it does on everything else: weights of
    another skeleton are refused.
    """
    trained = weights.skeleton
    if trained is None:
        raise NasError(
            f"{weights.file} does not say in which skeleton it was trained; use weights that we "
            "wrote"
        )
    refuse_other_genotype(weights, choice.genotype)
    _refuse_others(weights, trained, skeleton)
    network = fresh_network(choice.genotype, replace(trained, image_size=skeleton.image_size))
    names = names_in_file(
        Subject(
            title=choice.title, genotype=choice.genotype, skeleton=network.skeleton, network=network
        )
    )
    load_into(weights, network, names)
    network.head = Head(network.head.channels, replace(network.skeleton, classes=skeleton.classes))
    network.skeleton = replace(network.skeleton, classes=skeleton.classes)
    initialize(network.head, torch_rng(seed, "classifier"))
    return network


def residual_body_of(
    filters: int, weights: Weights, skeleton: Skeleton, seed: int
) -> ResidualNetwork:
    """The same of the residual network that stands beside a cell."""
    tensors = read_weights(weights.file)[0]
    network = ResidualNetwork(filters, replace(skeleton, classes=len(tensors["linear.bias"])))
    network.load_state_dict(tensors)
    network.linear = Linear(network.linear.in_features, skeleton.classes)
    initialize(network.linear, torch_rng(seed, "classifier"))
    return network


def classifier_of(network: Bodied) -> nn.Linear:
    """The layer that names classes: all that is trained on a frozen body."""
    return network.linear if isinstance(network, ResidualNetwork) else network.head.linear


def _refuse_others(weights: Weights, trained: Skeleton, skeleton: Skeleton) -> None:
    there, here = asdict(trained), asdict(skeleton)
    other = [name for name in there if name not in _OPEN and there[name] != here[name]]
    if other:
        changes = ", ".join(f"{name} {there[name]} there, {here[name]} here" for name in other[:3])
        raise NasError(
            f"{weights.file} was trained in another skeleton ({changes}); use the skeleton of the "
            "weights"
        )


def features(network: Bodied, images: Images, source: Source, computation: Computation) -> Tensor:
    """What the frozen body makes of each image, (N, channels)."""
    found: list[Tensor] = []
    handle = classifier_of(network).register_forward_pre_hook(
        lambda _, inputs: found.append(inputs[0].float().cpu())
    )
    network.eval().to(computation.torch_device, memory_format=computation.memory_format)  # type: ignore[call-overload]
    try:
        with computation.active(), torch.inference_mode(), computation.autocast():
            for batch, _ in source.plain_batches(
                min(max(_PIXELS // source.image_size**2, 16), 1024)
            ):
                network(batch)
    finally:
        handle.remove()
    assert sum(map(len, found)) == len(images)
    return torch.cat(found)


@final
class Finetuned(nn.Module):
    """A network whose body is frozen but for its last cells; frozen batch norms keep their
    statistics too."""

    def __init__(self, network: Bodied, open_cells: int) -> None:
        super().__init__()
        cells = _cells_of(network)
        if not 0 <= open_cells <= len(cells):
            there = len(cells)
            raise NasError(
                f"{open_cells} cells cannot be unfrozen; this network has {there}: give "
                f"--open-cells {there} or fewer"
            )
        self.network = network
        opened = {id(module) for module in [_head_of(network), *cells[len(cells) - open_cells :]]}
        if open_cells and isinstance(network, NasBench201Network):
            opened.add(id(network.bn))
        self._open = [id(child) in opened for child in self._parts()]
        for child, is_open in zip(self._parts(), self._open, strict=True):
            child.requires_grad_(is_open)

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)  # type: ignore[no-any-return]

    def train(self, mode: bool = True) -> Finetuned:
        """Only what is open trains: the rest stays in evaluation mode, or its statistics would
        drift."""
        super().train(mode)
        for child, is_open in zip(self._parts(), self._open, strict=True):
            child.train(mode and is_open)
        return self

    def _parts(self) -> list[nn.Module]:
        network = self.network
        rest: list[nn.Module] = []
        if isinstance(network, NasBench201Network):
            rest = [network.bn]
        elif isinstance(network, ResidualNetwork):
            rest = [network.stem_bn]
        return [network.stem, *_cells_of(network), *rest, _head_of(network)]


def _cells_of(network: Bodied) -> list[nn.Module]:
    """What is opened from the end: cells, or residual blocks."""
    return list(network.blocks if isinstance(network, ResidualNetwork) else network.cells)


def _head_of(network: Bodied) -> nn.Module:
    return network.linear if isinstance(network, ResidualNetwork) else network.head


def trained_classifier(
    network: Bodied, vectors: Tensor, labels: Tensor, recipe: Recipe, seed: int
) -> list[float]:
    """Trains the classifier alone on features computed once; the mean loss of each epoch."""
    linear = classifier_of(network).cpu()
    scale = vectors.std(dim=0).clamp(min=1e-6)
    middle = vectors.mean(dim=0)
    plain = Linear(linear.in_features, linear.out_features)
    with torch.no_grad():
        plain.weight.zero_()
        plain.bias.zero_()
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-2, weight_decay=1e-2)
    inputs = (vectors - middle) / scale
    losses = []
    for epoch in range(1, recipe.epochs + 1):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 * (1 - (epoch - 1) / recipe.epochs)
        losses.append(_pass(plain, optimizer, inputs, labels, recipe, seed, epoch))
    with (
        torch.no_grad()
    ):  # the scaling becomes part of the weights, so that the network itself is whole
        linear.weight.copy_(plain.weight / scale)
        linear.bias.copy_(plain.bias - (plain.weight / scale) @ middle)
    return losses


def _pass(
    plain: nn.Linear,
    optimizer: torch.optim.Optimizer,
    inputs: Tensor,
    labels: Tensor,
    recipe: Recipe,
    seed: int,
    epoch: int,
) -> float:
    order = torch.randperm(len(labels), generator=torch_rng(seed, "features", epoch))
    total = 0.0
    for start in range(0, len(order), recipe.batch_size):
        some = order[start : start + recipe.batch_size]
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(
            plain(inputs[some]), labels[some], label_smoothing=recipe.label_smoothing
        )
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += float(loss.detach()) * len(some)
    return total / len(order)
