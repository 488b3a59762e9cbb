"""One set of weights for all children of a space in a skeleton: every operation of every place,
node and slot once. A child is an ordinary network that borrows its weights here, so that its loose
ends, its ways to combine and operations of anybody's own are what they are in a real training.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from nas.seeding import torch_rng
from search_spaces.cells.cell import CellModule, NodeModule
from search_spaces.cells.network import Network

_EDGE = re.compile(r"(.*?\.edges\.\d+)\.")
_NOISE = 0.3  # beside an identity of 1, in standard deviations of He
_HEAD = 0.1  # of He: a head that is sure of nothing yet


@dataclass(frozen=True, slots=True)
class Borrowed:
    """A parameter of a child, and what it is made of.

    Args:
        keys: of the shared tensors, side by side along their columns: one for each loose end that
            is read, in the order of the loose ends.
    """

    name: str
    keys: tuple[str, ...]


@final
class SharedWeights:
    """Tensors by key, each made when a child first asks for it, from the seed and its key alone: so
    it does not matter which child came first."""

    def __init__(self, seed: int, tensors: Mapping[str, Tensor] | None = None) -> None:
        self.seed = seed
        self.tensors: dict[str, Tensor] = dict(tensors or {})

    def of(self, network: nn.Module, *, learning: bool = False) -> dict[str, Tensor]:
        """The weights of this child by the names of its parameters; they are views, or are put
        together, so that gradients reach the shared tensors.

        Args:
            learning: remember tensors that are new; else they are made and forgotten.
        """
        parameters = dict(network.named_parameters())
        found = {}
        for each in borrowed(network):
            parts = [
                self._tensor(key, network, each.name, parameters[each.name], len(each.keys))
                for key in each.keys
            ]
            if learning:
                self.tensors.update(zip(each.keys, parts, strict=True))
            found[each.name] = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
        return found

    def _tensor(
        self, key: str, network: nn.Module, name: str, parameter: Tensor, blocks: int
    ) -> Tensor:
        known = self.tensors.get(key)
        if known is not None:
            return known
        born = _born(network, name, parameter, blocks, self.seed, key.partition(" #")[0])
        return born.to(parameter.device).requires_grad_()


def borrowed(network: nn.Module) -> Iterator[Borrowed]:
    """What each parameter of a child is made of."""
    ops = dict(_ops(network))
    blocks = dict(_blocks(network)) if isinstance(network, Network) else {}
    for name, parameter in network.named_parameters():
        edge = _EDGE.match(name)
        shared = name
        if edge is not None and edge[1] in ops:
            shared = f"{edge[1]}.{ops[edge[1]]}{name[len(edge[1]) :]}"
        count = blocks.get(name, 1)
        shape = list(parameter.shape)
        if count > 1 or name in blocks:
            shape[1] //= count
        key = f"{shared} {'x'.join(map(str, shape))}"
        yield Borrowed(
            name, tuple(f"{key} #{rank}" for rank in range(count)) if name in blocks else (key,)
        )


def _ops(network: nn.Module) -> Iterator[tuple[str, str]]:
    """Where an operation stands, and its name."""
    for place, module in network.named_modules():
        if isinstance(module, NodeModule):
            yield from ((f"{place}.edges.{slot}", op) for slot, op in enumerate(module.ops))


def _blocks(network: Network) -> Iterator[tuple[str, int]]:
    """Weights whose columns belong to the loose ends of an earlier cell, and how many these are."""
    cells = [cell for cell in network.cells if isinstance(cell, CellModule)]
    ends = [1, *(len(cell.outputs) for cell in cells)]  # the stem has one
    for index, (place, cell) in enumerate(zip(network.places, cells, strict=True)):
        read = {f"cells.{index}.begin.": ends[index]}
        if place.back is not None and cell.fit is not None:
            read[f"cells.{index}.fit."] = ends[index + 1 - place.back]
        for name, parameter in cell.named_parameters(prefix=f"cells.{index}"):
            count = next((read[part] for part in read if name.startswith(part)), None)
            if count is not None and parameter.ndim > 1:
                yield name, count
    yield "head.linear.weight", ends[-1]


@torch.no_grad()
def _born(
    network: nn.Module, name: str, parameter: Tensor, blocks: int, seed: int, key: str
) -> Tensor:
    """A tensor before its first step: convolutions near the identity, so that what a child was
    built from hardly matters to the next one; whatever else a network has, as it has it."""
    place, _, kind = name.rpartition(".")
    module = network.get_submodule(place)
    shape = list(parameter.shape)
    if blocks > 1:
        shape[1] //= blocks
    if kind != "weight" or not isinstance(module, (nn.Conv2d, nn.Linear)):
        return parameter.detach().clone()

    rng = torch_rng(seed, "shared", key)
    fan_in = math.prod(shape[1:])
    noise = torch.randn(shape, generator=rng) * math.sqrt(2 / fan_in)
    if isinstance(module, nn.Linear):
        return _HEAD * noise
    if place.startswith("stem"):
        return noise
    rows = torch.arange(shape[0])
    weight = _NOISE * noise
    weight[rows, rows % shape[1], shape[2] // 2, shape[3] // 2] += 1
    return weight
