"""Neural architecture search without training (Mellor et al. 2021, section 3)."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from nas.evaluators.proxies import Untrained

_RELUS = (torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, torch.nn.functional.relu)


def nwot(child: Untrained) -> float:
    """How differently the ReLUs answer the images: log |det| of the images that agree, summed."""
    network, agreement = child.build(), _Agreement()
    with torch.no_grad(), agreement:
        network(child.images)
    if agreement.kernel is None:
        return 0.0
    kernel = agreement.kernel + 1e-3 * torch.eye(len(agreement.kernel), dtype=torch.float64)
    return float(torch.linalg.slogdet(kernel).logabsdet)


@final
class _Agreement(TorchFunctionMode):
    """Counts for each two images the ReLUs that are open, or closed, for both."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel: Tensor | None = None

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func in _RELUS:
            self._count(args[0])
        return func(*args, **(kwargs or {}))

    def _count(self, x: Tensor) -> None:
        opened = (x.flatten(1) > 0).to(torch.float32)
        agree = (opened @ opened.T + (1 - opened) @ (1 - opened).T).double().cpu()
        self.kernel = agree if self.kernel is None else self.kernel + agree
