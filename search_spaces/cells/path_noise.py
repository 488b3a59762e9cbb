"""The noise of regularised training: ScheduledDropPath on edges, dropout in front of the
classifier."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import final

import torch
from torch import Tensor, nn

from search_spaces.cells.cell import CellModule, NodeModule
from search_spaces.cells.skeleton import Skeleton
from search_spaces.errors import NetworkError

NodeMasks = Sequence[Tensor | None]
CellMasks = Sequence[NodeMasks]
_UNDROPPED = ("identity", "none")  # the paths that are never dropped, a strided identity too


@final
class PathNoise(nn.Module):
    """Masks that multiply each edge's result: 1/keep for the samples that keep the path, 0 for the
    others.

    keep(cell, step) = 1 - min(1, step / steps) * (cell + 1) / cells * (1 - final keep); the middle
    factor is slim's and goes with `drop_path_depth` off. All masks of a step come from one draw:
    from the device's default generator, or, where `draw` was called before the step, from the
    generator given there. The latter makes training reproducible, and leaves nothing random inside
    a compiled or captured forward pass.
    """

    step: Tensor
    risk: Tensor

    def __init__(self, cells: Iterable[CellModule], skeleton: Skeleton, features: int) -> None:
        super().__init__()
        self.drops_paths, self.steps = skeleton.drops_paths, skeleton.drop_path_steps
        self.keep_features, self.feature_count = skeleton.dropout_keep, features
        cells = list(cells)
        risks: list[float] = []
        self.rows = tuple(
            tuple(_rows(node, risks, _risk(i, len(cells), skeleton)) for node in cell.nodes)  # type: ignore[arg-type]
            for i, cell in enumerate(cells)
        )
        self.register_buffer("step", torch.zeros((), dtype=torch.int64), persistent=False)
        self.register_buffer("risk", torch.tensor(risks, dtype=torch.float32), persistent=False)
        self.paths: Tensor | None = None
        self.features: Tensor | None = None

    @property
    def active(self) -> bool:
        """Whether training draws anything at all."""
        return self.drops_paths or self.keep_features < 1

    def draw(self, batch_size: int, generator: torch.Generator) -> None:
        """Draws the next step's noise, in place where the batch is as large as the last."""
        if self.drops_paths:
            self.paths = self._drawn(self.paths, (self.risk.numel(), batch_size), generator)
        if self.keep_features < 1:
            self.features = self._drawn(self.features, (batch_size, self.feature_count), generator)

    def forget(self) -> None:
        """Back to the device's default generator."""
        self.paths = self.features = None

    def keep(self) -> Tensor:
        """What each droppable edge keeps at this step, in the order of cells, nodes and edges."""
        progress = (self.step / self.steps).clamp(max=1.0) if self.drops_paths else 0.0
        return 1 - progress * self.risk

    def path_masks(self, images: Tensor) -> Sequence[CellMasks | None]:
        """For each cell, node and edge its mask, (B, 1, 1, 1), or None for an edge that is never
        dropped."""
        if not (self.training and self.drops_paths):
            return [None] * len(self.rows)
        batch = images.shape[0]
        noise = self._noise(self.paths, (self.risk.numel(), batch), images)
        keep = self.keep()[:, None]
        masks = ((noise < keep) / keep)[:, :, None, None, None].unbind()
        return [
            [[None if row is None else masks[row] for row in node] for node in cell]
            for cell in self.rows
        ]

    def feature_mask(self, images: Tensor) -> Tensor | None:
        """Dropout's mask, (B, features); None where nothing is dropped."""
        if not (self.training and self.keep_features < 1):
            return None
        noise = self._noise(self.features, (images.shape[0], self.feature_count), images)
        return (noise < self.keep_features) / self.keep_features

    def _drawn(
        self, old: Tensor | None, shape: tuple[int, int], generator: torch.Generator
    ) -> Tensor:
        drawn = torch.rand(shape, generator=generator, device=generator.device)
        if old is None or old.shape != drawn.shape or old.device != self.step.device:
            return drawn.to(self.step.device)
        return old.copy_(drawn)

    def _noise(self, drawn: Tensor | None, shape: tuple[int, int], images: Tensor) -> Tensor:
        if drawn is None:
            return torch.rand(shape, device=images.device)
        if drawn.shape != shape:
            raise NetworkError(
                f"noise was drawn for a batch of other size: {tuple(drawn.shape)}, expected "
                f"{shape}; "
                "call begin_step with the batch's size before each step"
            )
        return drawn


def _risk(cell: int, cells: int, skeleton: Skeleton) -> float:
    """The share of its paths a cell drops at the end of the schedule."""
    depth = (cell + 1) / cells if skeleton.drop_path_depth else 1.0
    return depth * (1 - skeleton.drop_path_keep)


def _rows(node: NodeModule, risks: list[float], risk: float) -> tuple[int | None, ...]:
    """Numbers the node's droppable edges on from the last one, noting what each risks."""
    rows: list[int | None] = []
    for name in node.ops:
        rows.append(None if name in _UNDROPPED else len(risks))
        if name not in _UNDROPPED:
            risks.append(risk)
    return tuple(rows)
