"""Processes that train one network together: each takes its share of every batch, and what they
find is added up.

The sum of the gradients of all shares is the gradient of the whole batch, so every process makes
the same step and holds the same weights. Only batch norms see the difference: each normalises by
its own share, as with micro-batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, distributed, nn

from nas.errors import SettingsError
from nas.training.computation import Computation


@final
@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """One of so many processes, each with a rank. A group of one talks to nobody."""

    rank: int = 0
    size: int = 1

    @classmethod
    def joined(cls) -> ProcessGroup:
        """Torch's process group, which somebody has set up."""
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def share(self, count: int) -> tuple[int, int]:
        """From where to where this process takes a batch of so many."""
        return count * self.rank // self.size, count * (self.rank + 1) // self.size

    def total(self, tensor: Tensor) -> Tensor:
        """The sum of what all hold."""
        if self.size == 1:
            return tensor
        found = tensor.clone()
        distributed.all_reduce(found)
        return found

    @torch.no_grad()
    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Let every process have the sum of all gradients."""
        if self.size > 1:
            self._reduce(
                [parameter.grad for parameter in parameters if parameter.grad is not None], 1.0
            )

    @torch.no_grad()
    def average(self, tensors: Sequence[Tensor]) -> None:
        """Let every process have the mean of what all hold."""
        if self.size > 1 and tensors:
            self._reduce(tensors, 1.0 / self.size)

    def check_equal(self, number: int, name: str) -> None:
        """Stop where the processes do not agree on a number."""
        if self.size > 1:
            numbers: list[int | None] = [None] * self.size
            distributed.all_gather_object(numbers, number)
            if len(set(numbers)) > 1:
                raise RuntimeError(f"the processes of a training differ in {name}: {numbers}")

    def _reduce(self, tensors: Sequence[Tensor], factor: float) -> None:
        """All in one message; each tensor keeps its place and its layout in memory."""
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        if factor != 1.0:
            flat *= factor
        for tensor, part in zip(
            tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True
        ):
            tensor.copy_(part.view(tensor.shape))


ALONE = ProcessGroup()


def check_batch(group: ProcessGroup, batch_size: int, computation: Computation) -> None:
    """Refuse what cannot be divided."""
    if group.size == 1:
        return
    if computation.graphs:
        raise SettingsError(
            f"{group.size} workers divide each batch; with graphs a batch is never divided"
        )
    if batch_size < 2 * group.size:
        raise SettingsError(
            f"a batch of {batch_size} images cannot be divided among {group.size} workers: "
            "expected two for each; use "
            f"fewer --workers, or --set recipe.batch_size={2 * group.size} or more, and at least "
            "as many training images"
        )


def synchronized_norms(network: nn.Module, computation: Computation) -> nn.Module:
    """The network with batch norms that see the batch of the whole group; its weights keep their
    names."""
    check_norms(computation.device)
    return nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call, no-any-return]


def check_norms(device: str) -> None:
    """Refuse batch norms across processes where torch has none."""
    if not device.startswith("cuda"):
        raise SettingsError(
            f"batch norms are synchronised on GPUs only, but the workers train on {device}: leave "
            "out "
            "--sync-batch-norm, or give each worker a GPU with --gpus-per-worker 1"
        )
