"""What sharing and in-place work bring: NASNet-A (N = 2, F = 16, CIFAR, one core) beside the plain
reference network.

Three layouts of the same weights: ours in channels-last, the plain one in channels-last, the plain
one contiguous (how papers' code runs). Rounds alternate, the best of each counts. Memory is what
`search_spaces.cells.cost` measures.

Where a training step of ours goes (profile, one core, fp32): convolution backward 44 %, convolution
forward 21 %, ReLU backward 8 %, batch norm 9 % both ways, sums and gradient sums 4 %, pools 4 %,
copies (concatenation, padding) 4 %.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks._plain_network import PlainNetwork, transplant
from search_spaces import zoo
from search_spaces.cells.cost import inference_bytes, macs, network_on_meta, params, training_bytes
from search_spaces.cells.network import SKELETONS, Network, Skeleton

GENOTYPE = zoo.load("nasnet-a").genotype
SKELETON = Skeleton(cells_per_stage=2, filters=16)
BATCH, ROUNDS = 64, 5


def main() -> None:
    """Print one JSON line per figure."""
    torch.set_num_threads(1)
    ours, plain, contiguous = networks()
    for name, measure in (("training", train), ("inference", infer)):
        fast, slow, slowest = rates(measure, [(ours, True), (plain, True), (contiguous, False)])
        report(f"network: {name}, beside plain contiguous", fast, "images/s", slowest)
        report(f"network: {name}, beside plain channels-last", fast, "images/s", slow)
    shape = (3, 32, 32)
    report("network: activations kept in training", training_bytes(ours, shape) / 1e6, "MB/image",
           training_bytes(plain, shape) / 1e6)  # fmt: skip
    report(("network: activations at the peak of "
           "inference"), inference_bytes(ours, shape) / 1e6, "MB/image",
           inference_bytes(plain, shape) / 1e6)  # fmt: skip
    mobile = SKELETONS["imagenet-mobile"]
    report("network: building NASNet-A mobile", seconds(lambda: Network(GENOTYPE, mobile)), "s")
    report(
        "network: macs and params of NASNet-A mobile on meta", seconds(lambda: count(mobile)), "s"
    )


def networks() -> tuple[nn.Module, nn.Module, nn.Module]:
    """Ours and the plain one in channels-last layout, and the plain one contiguous, with the same
    weights."""
    ours, plain, contiguous = (
        Network(GENOTYPE, SKELETON),
        *(PlainNetwork(GENOTYPE, SKELETON) for _ in range(2)),
    )
    for other in (plain, contiguous):
        transplant(ours, other)
    for network in (ours, plain):
        for parameter in network.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.to(memory_format=torch.channels_last)
    return ours, plain, contiguous


def rates(
    measure: Callable[[nn.Module, Tensor], None], cases: list[tuple[nn.Module, bool]]
) -> list[float]:
    """The best images per second of each network, one after another in every round."""
    images = torch.randn(BATCH, 3, 32, 32, generator=torch.Generator())
    best = [float("inf")] * len(cases)
    for _ in range(ROUNDS + 1):
        for index, (network, channels_last) in enumerate(cases):
            given = images.to(memory_format=torch.channels_last) if channels_last else images
            best[index] = min(best[index], seconds(lambda n=network, x=given: measure(n, x), 1))  # type: ignore[misc]
    return [BATCH / one for one in best]


def train(network: nn.Module, images: Tensor) -> None:
    """Forward and backward."""
    network.train()
    network(images).square().mean().backward()
    network.zero_grad(set_to_none=True)


@torch.no_grad()
def infer(network: nn.Module, images: Tensor) -> None:
    """Forward alone."""
    network.eval()(images)


def count(skeleton: Skeleton) -> tuple[int, int]:
    """Both counts of a network that is built for it."""
    network = network_on_meta(GENOTYPE, skeleton)
    return params(network), macs(network, (3, skeleton.image_size, skeleton.image_size))


def seconds(action: Callable[[], object], times: int = 3) -> float:
    """The shortest time the action took."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - start)
    return best


def report(name: str, value: float, unit: str, reference: float | None = None) -> None:
    """One figure."""
    ratio = None if reference is None else round(value / reference, 3)
    rounded = None if reference is None else round(reference, 4)
    print(
        json.dumps(
            {
                "name": name,
                "value": round(value, 4),
                "unit": unit,
                "reference": rounded,
                "ratio": ratio,
            }
        )
    )


if __name__ == "__main__":
    main()
