"""Networks to export in tests: small ones with lively batch norms, and the module of a written
file."""

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from nas.exporting.source.python_file import names_in_file, python_file
from nas.exporting.subject import Subject, fresh_network
from nas.registry import load
from nas.seeding import numpy_rng
from nas.training.checkpoint import save_weights
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton


def genotype(number: int = 0) -> Genotype:
    """A drawing of the NASNet space."""
    drawn: Genotype = load("space", "nasnet")().sample(numpy_rng(1, "export", number))
    return drawn


def trained_study(folder: Path, keep: bool = True, **settings: Any) -> tuple[Genotype, Skeleton]:
    """The folder of a study whose trial 3 is the best, with its weights."""
    skeleton = Skeleton(cells_per_stage=1, filters=4, image_size=8, channels=1, **settings)
    folder.mkdir()
    part = {"name": "train", "options": {"skeleton": settings}}
    study = {
        "format": 1,
        "strategy": {"name": "evolution"},
        "evaluator": part,
        "commit": "abc",
        "measured": {"data": "77"},
    }
    (folder / "study.json").write_text(json.dumps(study))
    events = []
    for number, score in ((1, 0.5), (3, 0.9)):
        drawn = genotype(number)
        events += [
            {
                "event": "asked",
                "number": number,
                "key": drawn.key,
                "genotype": drawn.to_dict(),
                "seed": 0,
                "notes": {},
            },
            {
                "event": "told",
                "number": number,
                "score": score,
                "metrics": {"val_accuracy": score},
                "seconds": 1.0,
            },
        ]
    lines = [{"event": "started", "format": 1}, *events]
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if keep:
        network = fresh_network(genotype(3), skeleton)
        enliven(network)
        facts = {
            "genotype": genotype(3).to_dict(),
            "skeleton": asdict(skeleton),
            "dataset": "digits",
            "recipe": {"epochs": 3},
        }
        save_weights(folder / "checkpoints" / "3" / "weights.safetensors", network, facts)
    return genotype(3), skeleton


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
    network.load_state_dict(
        {names[name]: tensor for name, tensor in exported.network.state_dict().items()}
    )
    return max(_difference(exported.network, network, images(exported, batch)) for batch in batches)


def images(exported: Subject, batch: int) -> Tensor:
    """A batch of noise."""
    return torch.randn(batch, *exported.shape, generator=torch.Generator())


def _difference(one: nn.Module, other: nn.Module, batch: Tensor) -> float:
    with torch.inference_mode():
        return float((one(batch.clone()) - other(batch)).abs().max())
