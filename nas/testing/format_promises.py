"""What every export format promises: files in its folder, a usage that names them, the network's
own answers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from nas.exporting.subject import Subject, fresh_network
from nas.exporting.verification import verified
from nas.exporting.written import Exporter
from nas.search.record import is_ours
from nas.seeding import torch_rng
from nas.testing.promises import Promise, keep_all, part_of
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.nasbench201_text import from_nasbench201_text
from search_spaces.cells.skeleton import Skeleton

BATCHES = (1, 2, 17)
_CELL = "|nor_conv_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|none~0|nor_conv_1x1~1|skip_connect~2|"


def check_export_format(part: Any) -> None:
    """Try every promise of a format: its function, or its name as on the command line."""
    keep_all(FORMAT_PROMISES, part_of("exporter", part), with_folder=True)


def small_subject(genotype: Genotype | None = None) -> Subject:
    """A small network with lively batch norms, to be written by a format."""
    cell = from_nasbench201_text(_CELL) if genotype is None else genotype
    skeleton = Skeleton(layout="nasbench201", cells_per_stage=1, filters=4, image_size=16)
    network = fresh_network(cell, skeleton)
    rng = torch_rng(0, "testing", "batch norms")
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d) and module.running_var is not None:
                for scale in (module.running_var, module.weight):
                    scale.copy_(torch.rand(scale.shape, generator=rng) + 0.5)
                module.bias.copy_(torch.randn(module.bias.shape, generator=rng) / 10)
    return Subject(title="a test", genotype=cell, skeleton=network.skeleton, network=network)


def is_documented(exporter: Exporter, folder: Path) -> None:
    """The function and its file say what they write."""
    del folder
    assert exporter.__doc__, "the function has no docstring"
    assert sys.modules[exporter.__module__].__doc__, "its file has no docstring"


def writes_into_its_folder(exporter: Exporter, folder: Path) -> None:
    """It returns the files that it wrote into the folder, none of them empty, and its usage names
    one."""
    written = exporter(small_subject(), folder)
    assert written.files
    assert sorted(folder.iterdir()) == sorted(written.files), sorted(folder.iterdir())
    assert all(file.stat().st_size > 0 for file in written.files)
    assert all(is_ours(file.name) for file in written.files), "a file has a name that is in use"
    assert any(file.name in written.usage for file in written.files), written.usage


def computes_the_same(exporter: Exporter, folder: Path) -> None:
    """Where it can be asked, it gives the network's own logits, for batches of any size."""
    small = small_subject()
    written = exporter(small, folder)
    checks = verified(small, {"it": written}, BATCHES)
    assert [check.batch for check in checks] == (list(BATCHES) if written.answers else [])
    assert all(check.relative <= written.limit for check in checks)


def leaves_the_network(exporter: Exporter, folder: Path) -> None:
    """The network is as it was, ready to be judged, not trained."""
    small = small_subject()
    before = {name: tensor.clone() for name, tensor in small.network.state_dict().items()}
    exporter(small, folder)
    assert not small.network.training
    after = small.network.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


FORMAT_PROMISES: tuple[Promise, ...] = (
    is_documented,
    writes_into_its_folder,
    computes_the_same,
    leaves_the_network,
)
