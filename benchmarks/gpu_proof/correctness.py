"""Whether a device computes what a CPU computes in float32: operations, networks, files of weights,
short numbers, layouts, CUDA graphs and drop-path."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.gpu_proof.asked import Asked, Line, check, left_out
from nas.registry import load
from nas.seeding import numpy_rng, torch_rng
from nas.study.attempt import never_stop
from nas.training.checkpoint import read_weights, save_weights
from nas.training.computation import Computation
from nas.training.datasets import Images
from nas.training.recipe import Recipe
from nas.training.trainer import Data, Progress, Trainer
from search_spaces import zoo
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.initial_weights import initialize
from search_spaces.cells.network import Network, build_network
from search_spaces.cells.ops import make_op, op_names
from search_spaces.cells.skeleton import Skeleton

# How far results may lie from those of the CPU, as a share of their length. The last bits of sums
# differ with their order; TF32 keeps 10 bits of each factor, bfloat16 keeps 8.
_LIMITS = {"fp32": 1e-4, "tf32": 1e-2, "bf16": 0.1}
_DEEPER = 10  # a network adds up the differences of its layers
_SKELETON = Skeleton(cells_per_stage=1, filters=8)


def lines(asked: Asked) -> Iterator[Line]:
    """From the single operation to the whole training, until the time is over."""
    until = time.monotonic() + asked.seconds
    for part in (_ops, _networks, _drop_path, _weights, _trainings):
        for line in part(asked):
            yield line
            if time.monotonic() > until:
                yield {"name": part.__name__, "failed": "the time is over before all was checked"}
                return


def ways(asked: Asked) -> Iterator[tuple[str, Computation, str]]:
    """Every way to compute, by name, with the kind of number it computes in."""
    device = asked.device
    for layout in ("channels-last",) if asked.small else ("contiguous", "channels-last"):
        strict = Computation(device, 1, "fp32", layout, reproducible=True)  # type: ignore[arg-type]
        yield f"fp32 {layout}", strict, "fp32"
        if asked.on_gpu:
            yield f"tf32 {layout}", dataclasses.replace(strict, reproducible=False), "tf32"
        short = dataclasses.replace(strict, precision="bf16", reproducible=False)
        yield f"bf16 {layout}", short, "bf16"


def _ops(asked: Asked) -> Iterator[Line]:
    """Each operation at both strides: outputs and all gradients."""
    side = 8 if asked.small else 16
    images = torch.randn(4, 8, side, side, generator=torch_rng(0, "proof", "ops"))
    for name in op_names():
        for stride in (2,) if asked.small else (1, 2):
            op = make_op(name, 8, 8, stride, _SKELETON)
            initialize(op, torch_rng(0, "proof", name))
            yield from _compared(f"op {name}, stride {stride}", op, images, asked, 1)


def _networks(asked: Asked) -> Iterator[Line]:
    """Published cells and drawings of every space, as whole networks."""
    images = _images(asked)
    for name, genotype, skeleton in _genotypes(asked):
        network = build_network(genotype, skeleton, torch_rng(0, "proof", name))
        yield from _compared(f"network {name}", network, images, asked, _DEEPER)


def _genotypes(asked: Asked) -> Iterator[tuple[str, Genotype, Skeleton]]:
    for name in ["nasnet-a"] if asked.small else zoo.names():
        entry = zoo.load(name)
        yield name, entry.genotype, _SKELETON
    for name in ("nasbench201",) if asked.small else ("nasnet", "nasbench201", "darts", "ladder"):
        layout = "nasbench201" if name == "nasbench201" else "cifar"
        drawn = load("space", name)().sample(numpy_rng(0, "proof", name))
        yield f"of space {name}", drawn, dataclasses.replace(_SKELETON, layout=layout)


def _images(asked: Asked) -> Tensor:
    side = 16 if asked.small else 32
    return torch.randn(8, 3, side, side, generator=torch_rng(0, "proof", "images"))


def _drop_path(asked: Asked) -> Iterator[Line]:
    """Paths dropped by masks of our own generator: the same ones on every device."""
    skeleton = dataclasses.replace(
        _SKELETON, drop_path_keep=0.5, drop_path_steps=10, dropout_keep=0.5
    )
    genotype = zoo.load("nasnet-a").genotype
    images = _images(asked)
    network = Network(genotype, skeleton, torch_rng(0, "proof", "drop-path"))

    def begin(each: nn.Module) -> None:
        assert isinstance(each, Network)
        each.begin_step(9, len(images), torch_rng(0, "proof", "noise"))

    yield from _compared("drop-path and dropout", network, images, asked, _DEEPER, begin)


def _weights(asked: Asked) -> Iterator[Line]:
    """A file of weights written from the device holds the same bits on the CPU."""
    network = build_network(zoo.load("nasnet-a").genotype, _SKELETON, torch_rng(0, "proof"))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    place = network.to(asked.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    file = asked.folder / "weights.safetensors"
    save_weights(file, place, {})
    after, _ = read_weights(file)
    file.unlink()
    changed = sum(not torch.equal(after[name], tensor) for name, tensor in before.items())
    yield check("weights written and read: tensors that differ", changed, 0)


def _trainings(asked: Asked) -> Iterator[Line]:
    """Whole trainings: beside the CPU, twice, interrupted, and as CUDA graphs."""
    strict = Computation(asked.device, 1, reproducible=True)
    ours, cpu = _trained(strict, asked), _trained(Computation(), asked)
    yield check("training loss after two epochs beside the CPU", _gap(ours, cpu), 0.02)
    again = _trained(strict, asked)
    yield check("a reproducible training twice: losses that differ", _unequal(ours, again), 0)
    halved = _trained(strict, asked, interrupted=True)
    yield check("the same interrupted: losses that differ", _unequal(ours, halved), 0)
    if not asked.on_gpu:
        yield left_out("CUDA graphs", "this is no CUDA device")
        return
    plain = _trained(Computation(asked.device, 1), asked)
    graphs = _trained(Computation(asked.device, 1, graphs=True), asked)
    yield check("CUDA graphs beside single launches", _gap(graphs, plain), 0.02)
    divided = _trained(Computation(asked.device, 1), asked, micro_batch=16)
    yield check("micro-batches beside whole ones", _gap(divided, plain), 0.2)


def _trained(
    computation: Computation,
    asked: Asked,
    *,
    interrupted: bool = False,
    micro_batch: int | None = None,
) -> list[float]:
    """The training loss of each epoch of a small child."""
    rng = numpy_rng(0, "proof", "images")
    count, side = (32, 8) if asked.small else (512, 32)
    labels = np.arange(count, dtype=np.int64) % 10
    noise = rng.integers(0, 120, (count, side, side, 3)) + 12 * labels[:, None, None, None]
    images = Images(noise.astype(np.uint8), labels)
    data = Data(images, images.fewer(10), (0.4, 0.4, 0.4), (0.2, 0.2, 0.2))
    recipe = Recipe(epochs=2, batch_size=32, crop="pad", flip=True, micro_batch=micro_batch)
    skeleton = dataclasses.replace(_SKELETON, filters=2 if asked.small else 8, image_size=side)
    progress = Progress(asked.folder / "progress.safetensors", {}, 0.0) if interrupted else None

    def trainer() -> Trainer:
        network = build_network(zoo.load("nasnet-a").genotype, skeleton, torch_rng(0, "proof"))
        return Trainer(network, data, recipe, seed=0, computation=computation, progress=progress)

    if interrupted:
        trainer().run(lambda epoch, _: epoch < 1)
    curve = trainer().run(never_stop)
    if progress is not None:
        progress.file.unlink()
    return [metrics["train_loss"] for metrics in curve]


def _compared(
    name: str,
    module: nn.Module,
    images: Tensor,
    asked: Asked,
    depth: int,
    begin: Callable[[nn.Module], None] = lambda _: None,
) -> Iterator[Line]:
    """A module on the device, in every way, beside itself on the CPU in float32."""
    wanted = _answers(copy.deepcopy(module), images, Computation(layout="contiguous"), begin)
    for way, computation, kind in ways(asked):
        try:
            found = _answers(copy.deepcopy(module), images, computation, begin)
        except RuntimeError as problem:
            yield {"name": f"{name}, {way}", "failed": str(problem)[:300]}
            continue
        # Gradients of a deep network in short numbers are rounded too often to be compared.
        count = 1 if kind == "bf16" and depth > 1 else len(wanted)
        pairs = zip(found[:count], wanted[:count], strict=True)
        worst = max(_apart(one, other) for one, other in pairs)
        yield check(f"{name}, {way}", worst, depth * _LIMITS[kind])


def _answers(
    module: nn.Module, images: Tensor, computation: Computation, begin: Callable[[nn.Module], None]
) -> list[Tensor]:
    """Outputs, the gradient of the images and the gradients of all weights together."""
    place = computation.torch_device
    module = module.to(place, memory_format=computation.memory_format).train()  # type: ignore[call-overload]
    given = images.clone().to(place).contiguous(memory_format=computation.memory_format)
    given = given.detach().requires_grad_()
    begin(module)
    with computation.active():
        with computation.autocast():
            output = module(given)
        weight = torch.randn(output.shape, generator=torch_rng(0, "proof", "weight")).to(place)
        if output.requires_grad:  # `none` hands nothing back
            (output.float() * weight).sum().backward()
    weights = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    flat = [torch.cat([each.flatten().float() for each in weights])] if weights else []
    gradient = torch.zeros_like(given) if given.grad is None else given.grad
    return [each.detach().float().cpu() for each in (output, gradient, *flat)]


def _apart(one: Tensor, other: Tensor) -> float:
    """Their distance as a share of their length."""
    if not bool(torch.isfinite(one).all()):
        return float("inf")
    return float((one - other).norm() / other.norm().clamp(min=1e-12))


def _gap(one: list[float], other: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _unequal(one: list[float], other: list[float]) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))
