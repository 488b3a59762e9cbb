"""What a network costs, measured by running it on the meta device: no formula per operation, no
arithmetic done.

Parameters never include the auxiliary head. Multiply-adds are those of convolutions and linear
layers for one image; batch norm, pooling, additions and biases do not count. Activations are
float32 bytes for one image.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from search_spaces.cells.cell import State
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.network import NasBench201Network, Network, Skeleton, build_network

Shape = tuple[int, int, int]
_AUXILIARY = "auxiliary."
_STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs; bytes are for one image in float32: at the peak of inference, and kept
    for backward."""

    params: int
    params_with_statistics: int
    auxiliary_params: int
    macs: int
    inference_bytes: int
    training_bytes: int


@dataclass(frozen=True, slots=True)
class CellCost:
    """One row of the table of a network: the stem, a cell or the head."""

    name: str
    role: str
    filters: int
    stride: int
    output: tuple[int, ...]
    params: int
    macs: int


def params(network: nn.Module) -> int:
    """Trainable parameters without the auxiliary head."""
    return sum(
        value.numel()
        for name, value in network.named_parameters()
        if not name.startswith(_AUXILIARY)
    )


def auxiliary_params(network: nn.Module) -> int:
    """Trainable parameters of the auxiliary head; 0 where there is none."""
    return sum(
        value.numel() for name, value in network.named_parameters() if name.startswith(_AUXILIARY)
    )


def params_with_statistics(network: nn.Module) -> int:
    """`params` and the running means and variances of batch norm: what Keras counts."""
    statistics = (
        value.numel()
        for name, value in network.named_buffers()
        if name.endswith(_STATISTICS) and not name.startswith(_AUXILIARY)
    )
    return params(network) + sum(statistics)


def macs(network: nn.Module, shape: Shape) -> int:
    """Multiply-adds for one image of this shape (channels, height, width)."""
    return _inference(network, shape).macs


def inference_bytes(network: nn.Module, shape: Shape) -> int:
    """The most bytes of activations alive at once in inference, the image among them."""
    return _inference(network, shape).peak_bytes


def training_bytes(network: nn.Module, shape: Shape) -> int:
    """Bytes of activations that a training step keeps for its backward pass."""
    batch = 2  # batch norm refuses to train on a single value per channel
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    saved = saved_tensors_hooks(keep, lambda tensor: tensor)
    with _mode(network, training=True), saved, _Training():
        meta = _on_meta(network)
        logits = functional_call(network, meta, (torch.empty(batch, *shape, device="meta"),))
    constants = {value.untyped_storage()._cdata for value in meta.values()}
    kept_bytes = sum(
        tensor.untyped_storage().nbytes() for key, tensor in kept.items() if key not in constants
    )
    del logits
    return kept_bytes // batch


def cost(genotype: Genotype, skeleton: Skeleton) -> Cost:
    """Everything about the network of this genotype in this skeleton, which is built on the meta
    device."""
    network = network_on_meta(genotype, skeleton)
    return cost_of(network, (skeleton.channels, skeleton.image_size, skeleton.image_size))


def cost_of(network: nn.Module, shape: Shape) -> Cost:
    """Everything about any network that maps images of this shape to logits."""
    meter = _inference(network, shape)
    return Cost(
        params=params(network),
        params_with_statistics=params_with_statistics(network),
        auxiliary_params=auxiliary_params(network),
        macs=meter.macs,
        inference_bytes=meter.peak_bytes,
        training_bytes=training_bytes(network, shape),
    )


def params_and_macs(genotype: Genotype, skeleton: Skeleton) -> dict[str, float]:
    """What is known of a child before it is judged."""
    network = network_on_meta(genotype, skeleton)
    shape = (skeleton.channels, skeleton.image_size, skeleton.image_size)
    return {"params": params(network), "macs": macs(network, shape)}


def per_cell_table(genotype: Genotype, skeleton: Skeleton) -> list[CellCost]:
    """One row for the stem, each cell and the head; the columns of numbers add up to `params` and
    `macs`."""
    network = network_on_meta(genotype, skeleton)
    parts = _parts(network)
    meter, spent = _Meter(), [0]
    shapes: list[tuple[int, ...]] = []

    def note(_module: nn.Module, _inputs: object, output: Tensor | State) -> None:
        shapes.append(tuple((output.map if isinstance(output, State) else output).shape[1:]))
        spent.append(meter.macs)

    handles = [part.modules[-1].register_forward_hook(note) for part in parts]
    _measured(network, (skeleton.channels, skeleton.image_size, skeleton.image_size), meter)
    for handle in handles:
        handle.remove()
    counts = (sum(map(params, part.modules)) for part in parts)
    return [
        CellCost(part.name, part.role, part.filters, part.stride, shape, count, after - before)
        for part, shape, count, before, after in zip(
            parts, shapes, counts, spent, spent[1:], strict=False
        )
    ]


def network_on_meta(genotype: Genotype, skeleton: Skeleton) -> Network | NasBench201Network:
    """The network without memory for its weights."""
    with torch.device("meta"):
        return build_network(genotype, skeleton)


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    role: str
    filters: int
    stride: int
    modules: tuple[nn.Module, ...]


def _parts(network: Network | NasBench201Network) -> list[_Part]:
    """What the rows of the table are about, in the order in which it runs."""
    skeleton = network.skeleton
    cells = [
        _Part(f"cell {index}", place.role, place.filters, place.stride, (cell,))
        for index, (place, cell) in enumerate(zip(network.places, network.cells, strict=True))
    ]
    last = (
        (network.bn, network.head) if isinstance(network, NasBench201Network) else (network.head,)
    )
    stem = _Part(
        "stem",
        "stem",
        skeleton.stem_width,
        2 if skeleton.layout == "imagenet" else 1,
        (network.stem,),
    )
    return [stem, *cells, _Part("head", "head", skeleton.classes, 1, last)]


def _inference(network: nn.Module, shape: Shape) -> _Meter:
    return _measured(network, shape, _Meter())


def _measured(network: nn.Module, shape: Shape, meter: _Meter) -> _Meter:
    with _mode(network, training=False), torch.no_grad():
        meta, image = _on_meta(network), torch.empty(1, *shape, device="meta")
        meter.ignore(meta.values())
        with meter:
            meter.watch(image)
            functional_call(network, meta, (image,))
    return meter


def _on_meta(network: nn.Module) -> dict[str, Tensor]:
    """Stand-ins for parameters and buffers, so that the network itself is neither copied nor
    changed."""
    named = [*network.named_parameters(), *network.named_buffers()]
    return {
        name: value.detach().to("meta").requires_grad_(value.requires_grad) for name, value in named
    }


@contextmanager
def _mode(network: nn.Module, *, training: bool) -> Iterator[None]:
    before = network.training
    network.train(training)
    try:
        yield
    finally:
        network.train(before)


def _weighted(output: Tensor, _input: Tensor, weight: Tensor) -> int:
    """A convolution or a linear layer: each output value takes as many as one of its filters has
    weights."""
    return output.numel() * weight[0].numel()


def _product(output: Tensor, left: Tensor, _right: Tensor) -> int:
    return output.numel() * left.shape[-1]


_MULTIPLY_ADDS: dict[Any, Callable[[Tensor, Tensor, Tensor], int]] = {
    F.conv1d: _weighted,
    F.conv2d: _weighted,
    F.conv3d: _weighted,
    F.linear: _weighted,
    torch.matmul: _product,
    torch.mm: _product,
    torch.bmm: _product,
}


def _first(x: Tensor, *_: object, **__: object) -> Sequence[int]:
    return x.shape


def _joined(tensors: Sequence[Tensor], dim: int = 0) -> Sequence[int]:
    shape = list(tensors[0].shape)
    shape[dim] = sum(tensor.shape[dim] for tensor in tensors)
    return shape


def _sum(left: Tensor, right: object) -> Sequence[int]:
    if not isinstance(right, Tensor) or right.shape == left.shape:
        return left.shape
    return torch.broadcast_shapes(left.shape, right.shape)  # type: ignore[no-untyped-call, no-any-return]


def _mean(x: Tensor, dim: Sequence[int] = (), **_: object) -> Sequence[int]:
    return [side for axis, side in enumerate(x.shape) if axis not in dim] if dim else ()


def _linear(x: Tensor, weight: Tensor, *_: object) -> Sequence[int]:
    return *x.shape[:-1], weight.shape[0]


# Only shapes exist on meta. For these functions torch says the same, but loads its compiler first,
# which takes longer than everything else here together.
_SHAPES: dict[Any, Callable[..., Sequence[int]]] = {
    F.batch_norm: _first,
    F.linear: _linear,
    torch.relu: _first,
    torch.cat: _joined,
    torch.add: _sum,
    Tensor.add: _sum,
    Tensor.mean: _mean,
}


class _Step(torch.autograd.Function):
    """The result of a torch function as a shape, and what its backward pass keeps."""

    @staticmethod
    def forward(
        context: Any, func: Any, shape: Sequence[int], weight: Tensor | None, *inputs: Any
    ) -> Tensor:
        result = torch.empty(shape, device="meta")
        if func is F.batch_norm:
            mean, deviation = (result.new_empty(shape[1]) for _ in range(2))
            context.save_for_backward(inputs[0], weight, mean, deviation)
        elif func is F.linear:
            context.save_for_backward(*inputs[:2])
        elif func is torch.relu:
            context.save_for_backward(result)
        return result


@final
class _Training(TorchFunctionMode):
    """Steps of training that are light: torch's own batch norm takes longer than all others."""

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        options = kwargs or {}
        if func not in _SHAPES:
            return func(*args, **options)
        inputs = args[0] if isinstance(args[0], (tuple, list)) else args
        shape = _SHAPES[func](*args, **options)
        return _Step.apply(func, shape, options.get("weight"), *inputs)  # type: ignore[no-untyped-call]


@final
class _Meter(TorchFunctionMode):
    """Counts the multiply-adds of every torch function that runs, and the bytes of results that are
    alive."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0
        self.peak_bytes = 0
        self._live_bytes = 0
        self._known: set[int] = set()

    def ignore(self, tensors: Iterable[Tensor]) -> None:
        """Storage that is no activation."""
        self._known.update(tensor.untyped_storage()._cdata for tensor in tensors)

    def watch(self, tensor: Tensor) -> None:
        """Counts the tensor's storage until it dies."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self._live_bytes += size
        self.peak_bytes = max(self.peak_bytes, self._live_bytes)
        weakref.finalize(storage, self._release, key, size)

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        options = kwargs or {}
        result: Any
        if func in _SHAPES:
            result = torch.empty(_SHAPES[func](*args, **options), device="meta")
        else:
            result = func(*args, **options)
        if func in _MULTIPLY_ADDS:
            self.macs += _MULTIPLY_ADDS[func](result, args[0], args[1])
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, Tensor):
                self.watch(tensor)
        return result

    def _release(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._live_bytes -= size
