"""Networks to export in tests: small ones with lively batch norms, and the module of a written file."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from nas.exporting.python_file import names_in_file, python_file
from nas.exporting.subject import Subject, fresh_network
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton


def subject(genotype: Genotype, title: str = "a test", **skeleton: Any) -> Subject:
    """A small untrained network whose batch norms are no identities."""
    small = {"cells_per_stage": 1, "filters": 8, "image_size": 32, **skeleton}
    network = fresh_network(genotype, Skeleton(**small))
    enliven(network)
    return Subject(title=title, genotype=genotype, skeleton=network.skeleton, network=network)


@torch.no_grad()
def enliven(network: nn.Module) -> None:
    """Gives each batch norm statistics, scales and shifts that differ from channel to channel."""
    rng = torch.Generator()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_var, module.weight):
                assert tensor is not None
                tensor.copy_(torch.rand(tensor.shape, generator=rng) + 0.5)
            for tensor in (module.running_mean, module.bias):
                assert tensor is not None
                tensor.copy_(torch.randn(tensor.shape, generator=rng) / 10)


def module_of(file: Path) -> ModuleType:
    """The module that a file holds."""
    specification = importlib.util.spec_from_file_location("exported_model", file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def largest_difference(exported: Subject, folder: Path, batches: Sequence[int] = (1, 2)) -> float:
    """How far the written Python network, with the subject's weights, is from the network."""
    file = folder / "model.py"
    file.write_text(python_file(exported))
    network = module_of(file).build(None)
    names = names_in_file(exported)
    network.load_state_dict({names[name]: tensor for name, tensor in exported.network.state_dict().items()})
    return max(_difference(exported.network, network, images(exported, batch)) for batch in batches)


def images(exported: Subject, batch: int) -> Tensor:
    """A batch of noise."""
    return torch.randn(batch, *exported.shape, generator=torch.Generator())


def _difference(one: nn.Module, other: nn.Module, batch: Tensor) -> float:
    with torch.inference_mode():
        return float((one(batch.clone()) - other(batch)).abs().max())
