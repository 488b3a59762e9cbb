"""A cell as a module: inputs fitted to its width, nodes that combine what their edges bring,
outputs side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from search_spaces.cells.genotype import Cell, Node
from search_spaces.cells.layers import (
    FactorizedReduction,
    Pool,
    Rectified,
    Unit,
    Zero,
    conv_bn,
    fit_shape,
)
from search_spaces.cells.ops import make_op
from search_spaces.cells.skeleton import Skeleton


@final
class State:
    """A feature map, its ReLU and its pools, each computed at most once however many edges read it.

    Args:
        spare: nobody reads the map itself, so its ReLU may overwrite it.
    """

    __slots__ = ("_map", "_pools", "_rectified", "_spare")

    def __init__(
        self, feature_map: Tensor, *, spare: bool = False, rectified: Tensor | None = None
    ) -> None:
        self._map = feature_map
        self._spare = spare
        self._rectified = rectified
        self._pools: dict[tuple[str, int, int], Tensor] = {}

    @property
    def map(self) -> Tensor:
        """The map itself."""
        return self._map

    @property
    def rectified(self) -> Tensor:
        """ReLU of the map."""
        if self._rectified is None:
            self._rectified = torch.relu_(self._map) if self._spare else torch.relu(self._map)
        return self._rectified

    def through(self, operation: nn.Module, shared: bool = False) -> Tensor:
        """What an operation makes of this state; `shared` says that another edge asks for the same
        pool."""
        if isinstance(operation, Rectified):
            return operation.after_relu(self.rectified)
        if isinstance(operation, Pool) and shared:
            kind = (operation.kind, operation.kernel, operation.stride)
            if kind not in self._pools:
                self._pools[kind] = operation.pooled(self._map)
            return operation.fitted(self._pools[kind])
        return operation(self._map)  # type: ignore[no-any-return]


@final
class NodeModule(nn.Module):
    """Runs each edge's operation on the state it reads and combines the results.

    `edges` holds the operations in the genotype's order; `squeeze` (combine = concat) brings their
    concatenation back to the cell's filters: ReLU, 1x1 convolution, BN.
    """

    def __init__(
        self,
        node: Node,
        channels: Sequence[int],
        strides: Sequence[int],
        filters: int,
        style: Skeleton,
    ) -> None:
        super().__init__()
        self.sources = tuple(edge.source for edge in node.edges)
        self.ops = tuple(edge.op for edge in node.edges)
        self.edges = nn.ModuleList(
            make_op(edge.op, channels[edge.source], filters, strides[edge.source], style)
            for edge in node.edges
        )
        concat = node.combine == "concat"
        self.squeeze = (
            Rectified(conv_bn(filters * len(node.edges), filters, 1, style)) if concat else None
        )
        self.shared = (False,) * len(node.edges)

    @property
    def owns_result(self) -> bool:
        """Whether the result is a fresh map, nobody else's."""
        summed = len(self._live_edges()) > 1
        return summed or self.squeeze is not None or all(self._owns(j) for j in self._live_edges())

    def reads_map(self, state: int) -> bool:
        """Whether an edge reads this state as it is, not its ReLU."""
        return any(
            source == state and not isinstance(edge, Rectified)
            for source, edge in zip(self.sources, self.edges, strict=True)
        )

    def forward(
        self, states: Sequence[State], masks: Sequence[Tensor | None] | None = None
    ) -> Tensor:
        """Args:
        masks: what ScheduledDropPath multiplies each edge's result with, (B, 1, 1, 1); None leaves
            an edge alone.
        """
        live = range(len(self.edges)) if self.squeeze is not None else self._live_edges()
        results = [self._edge(j, states, None if masks is None else masks[j]) for j in live]
        if self.squeeze is not None:
            return self.squeeze.after_relu(torch.relu_(torch.cat(results, dim=1)))
        total, owned = results[0], self._owns(live[0])
        for j, result in zip(live[1:], results[1:], strict=True):
            total = _add(total, owned, result, self._owns(j))
            owned = True
        return total

    def _edge(self, j: int, states: Sequence[State], mask: Tensor | None) -> Tensor:
        result = states[self.sources[j]].through(self.edges[j], self.shared[j])
        if mask is None:
            return result
        return result.mul_(mask) if self._owns(j) else result * mask.to(result.dtype)

    def _owns(self, j: int) -> bool:
        edge = self.edges[j]
        shared_pool = isinstance(edge, Pool) and self.shared[j] and edge.fit is None
        return isinstance(edge, (Rectified, Pool, Unit, Zero)) and not shared_pool

    def _live_edges(self) -> Sequence[int]:
        """All edges but `none`, which adds nothing; a node of nothing else keeps one."""
        return [j for j, name in enumerate(self.ops) if name != "none"] or [0]


def _add(a: Tensor, owns_a: bool, b: Tensor, owns_b: bool) -> Tensor:
    """The sum, written into a map that is ours where there is one: backward needs neither."""
    if owns_a and a.dtype == b.dtype:
        return a.add_(b)
    return b.add_(a) if owns_b and a.dtype == b.dtype else a + b


def make_nodes(
    cell: Cell, channels: Sequence[int], filters: int, stride: int, style: Skeleton
) -> nn.ModuleList:
    """A cell's nodes. `channels` are those of its inputs; only edges that read an input are
    strided."""
    wide = [*channels, *[filters] * len(cell.nodes)]
    strides = [stride] * cell.inputs + [1] * len(cell.nodes)
    nodes = [NodeModule(node, wide, strides, filters, style) for node in cell.nodes]
    readers = Counter((edge.source, edge.op) for node in cell.nodes for edge in node.edges)
    for module, node in zip(nodes, cell.nodes, strict=True):
        module.shared = tuple(readers[edge.source, edge.op] > 1 for edge in node.edges)
    return nn.ModuleList(nodes)


@final
class CellModule(nn.Module):
    """One cell: `fit` makes `prev` state 0, `begin` makes `cur` state 1, `nodes` add states,
    `outputs` are joined.

    An output that nobody reads as it is (see `emit`) leaves the cell through ReLU already.

    Args:
        cell: what is on its edges.
        prev: channels of the older input and whether its map is twice as large; None where there is
            no older input, and state 0 is `cur` itself.
        cur: channels of the newer input.
    """

    def __init__(
        self,
        cell: Cell,
        prev: tuple[int, bool] | None,
        cur: int,
        filters: int,
        stride: int,
        style: Skeleton,
    ) -> None:
        super().__init__()
        self.begin = Rectified(conv_bn(cur, filters, 1, style))
        self.fit = None if prev is None else _fit(*prev, filters, style)
        self.raw = prev is None
        self.nodes = make_nodes(
            cell, (cur if self.raw else filters, filters), filters, stride, style
        )
        self.outputs = cell.output_states
        self.out_channels = filters * len(self.outputs)
        first = cur if self.raw else filters
        self.align = nn.ModuleDict(
            {
                str(state): fit_shape(first if state == 0 else filters, filters, stride, style)
                for state in self.outputs
                if state < 2 and (stride > 1 or (state == 0 and first != filters))
            }
        )
        self.emits_map = True
        self.spare: tuple[bool, ...] = ()
        self.emit(True)

    def emit(self, emits_map: bool) -> None:
        """Settles whether the output is read as it is; then each state's ReLU may be taken in place
        or not."""
        self.emits_map = emits_map
        owned = (self.fit is not None, True, *(node.owns_result for node in self._nodes()))
        self.spare = tuple(owns and not self.reads_map(state) for state, owns in enumerate(owned))

    def reads_map(self, state: int) -> bool:
        """Whether this state is needed as it is, not only its ReLU."""
        listed = state in self.outputs and (self.emits_map or str(state) in self.align)
        return listed or any(node.reads_map(state) for node in self._nodes())

    def forward(
        self, prev: State | None, cur: State, masks: Sequence[Sequence[Tensor | None]] | None = None
    ) -> State:
        """Args:
        masks: one sequence per node, as `NodeModule.forward` takes them.
        """
        states = [
            self._older(prev, cur),
            State(self.begin.after_relu(cur.rectified), spare=self.spare[1]),
        ]
        for k, node in enumerate(self.nodes):
            state = node(states, None if masks is None else masks[k])
            states.append(State(state, spare=self.spare[2 + k]))
        return self._output(states)

    def _nodes(self) -> list[NodeModule]:
        return [node for node in self.nodes if isinstance(node, NodeModule)]

    def _older(self, prev: State | None, cur: State) -> State:
        if self.raw or prev is None:
            return cur
        if self.fit is None:
            return prev
        return State(self.fit.after_relu(prev.rectified), spare=self.spare[0])

    def _output(self, states: Sequence[State]) -> State:
        if len(self.outputs) == 1 and not self.align:
            return states[self.outputs[0]]
        parts = [self._part(s, states[s]) for s in self.outputs]
        joined = torch.cat(parts, dim=1)
        return State(joined) if self.emits_map else State(joined, rectified=joined)

    def _part(self, s: int, state: State) -> Tensor:
        if str(s) in self.align:
            aligned = self.align[str(s)](state.map)
            return aligned if self.emits_map else torch.relu_(aligned)
        return state.map if self.emits_map else state.rectified


def _fit(channels: int, larger: bool, filters: int, style: Skeleton) -> Rectified | None:
    """How `prev` becomes state 0; None where its shape fits already."""
    if larger:
        return Rectified(FactorizedReduction(channels, filters, style))
    if channels != filters or style.always_fit:
        return Rectified(conv_bn(channels, filters, 1, style))
    return None
