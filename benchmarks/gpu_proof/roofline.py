"""The least seconds a training step can take on a card: each of its kernels moves its bytes at the
card's bandwidth or does its arithmetic at the card's rate, whichever takes longer.

No kernels are joined here, so a step that joins them (batch norm with ReLU, say) may be faster than
this; what it says is how far the kernels themselves are from the card.
"""

from __future__ import annotations

from typing import Any, final

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


@final
class Roofline(TorchDispatchMode):
    """Adds up the least seconds of whatever is computed while it is on."""

    def __init__(self, bytes_per_second: float, flops_per_second: float) -> None:
        super().__init__()
        self._bytes_per_second = bytes_per_second
        self._flops_per_second = flops_per_second
        self.seconds = 0.0
        self.flops = 0
        self.moved = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        options = kwargs or {}
        found = func(*args, **options)
        if not _is_view(func):
            moved = sum(_bytes(each) for each in (*args, *options.values(), found))
            count = flop_registry.get(func.overloadpacket)
            flops = count(*args, **options, out_val=found) if count else 0
            self.moved += moved
            self.flops += flops
            self.seconds += max(moved / self._bytes_per_second, flops / self._flops_per_second)
        return found


def _is_view(func: Any) -> bool:
    """Whether it only looks at its input another way, so that nothing moves."""
    returned = [each.alias_info for each in func._schema.returns]
    return any(alias is not None and not alias.is_write for alias in returned)


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, list | tuple):
        return sum(_bytes(each) for each in value)
    return 0
