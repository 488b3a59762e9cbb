"""An exported network on the device: that `model.py` answers what the network answers, and how long
a batch takes."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.gpu_proof.asked import Asked, Line, check, figure
from nas.exporting.formats.python_source import python_source
from nas.exporting.latencies import latencies
from nas.exporting.subject import Subject, fresh_network
from search_spaces import zoo
from search_spaces.cells.skeleton import Skeleton


def lines(asked: Asked) -> Iterator[Line]:
    """Answers first, then milliseconds."""
    skeleton = Skeleton(cells_per_stage=1 if asked.small else 6, filters=4 if asked.small else 32)
    genotype = zoo.load("nasnet-a").genotype
    network = fresh_network(genotype, skeleton)
    subject = Subject(title="nasnet-a", genotype=genotype, skeleton=skeleton, network=network)
    yield _same_answers(subject, asked)
    batches = (1, 8) if asked.small else (1, 32, 256)
    for speed in latencies(
        subject,
        batches,
        engines=("torch",),
        device=asked.device,
        seconds=asked.seconds / (3 * len(batches)),
    ):
        yield figure(f"batch of {speed.batch}", speed.milliseconds, "ms")
        yield figure(f"batch of {speed.batch}, images", speed.images_per_second, "images/s")


def _same_answers(subject: Subject, asked: Asked) -> Line:
    folder = asked.folder / "model"
    folder.mkdir(parents=True, exist_ok=True)
    python_source(subject, folder)
    made: Any = _imported(folder / "model.py").build().to(asked.device).eval()
    images = torch.ones(4, *subject.shape).cumsum(-1) / 32
    with torch.inference_mode():
        wanted = subject.network(images)
        found = made(images.to(asked.device)).cpu()
    shutil.rmtree(asked.folder)
    apart = float((found - wanted).norm() / wanted.norm())
    return check("model.py on the device beside the network on the CPU", apart, 1e-2)


def _imported(file: Any) -> Any:
    spec = importlib.util.spec_from_file_location("exported_by_the_proof", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
