"""A batch that memory does not hold is computed in halves: real failures of torch's allocator,
under a limit of the operating system."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")
CHILD = """
import json, resource, sys
import numpy as np
from torch import nn
from nas.training.computation import Computation
from nas.training.datasets import Images
from nas.training.failures import OutOfMemory
from nas.training.recipe import Recipe
from nas.training.trainer import Data, Trainer

def trained(width, room_mib=None, micro_batch=None):
    pixels = np.arange(BATCH * 192, dtype=np.int64).reshape(BATCH, 8, 8, 3) % 251
    images = Images(pixels.astype(np.uint8), np.arange(BATCH) % 10)
    data = Data(images, images.fewer(10), (0.5,) * 3, (0.2,) * 3)
    layers = nn.Linear(192, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 10)
    for number, layer in enumerate(layers[::3]):
        nn.init.constant_(layer.weight, 0.001 * (number + 1))
        nn.init.constant_(layer.bias, 0.0)
    recipe = Recipe(epochs=1, batch_size=BATCH, micro_batch=micro_batch, learning_rate=0.001)
    trainer = Trainer(nn.Sequential(nn.Flatten(), *layers), data, recipe, seed=0,
                      computation=Computation())
    if room_mib is not None:
        pages = int(open("/proc/self/statm").read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + room_mib * 2**20, -1))
    try:
        found = trainer.run(lambda *_: True)[-1]
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
    return {name: found[name] for name in ("train_loss", "val_loss", "micro_batch") if name in found}

BATCH = 16
trained(64)  # what is loaded and allocated once is there
BATCH, width, room_mib = map(int, sys.argv[1:])
try:
    divided = trained(width, room_mib)
except OutOfMemory as problem:
    print(json.dumps({"out_of_memory": str(problem)}))
else:
    asked = trained(width, micro_batch=divided.get("micro_batch"))
    print(json.dumps({"divided": divided, "asked": asked}))
"""  # noqa: E501


def trained(batch: int, width: int, room_mib: int) -> dict[str, Any]:
    answer = subprocess.run(
        [sys.executable, "-c", CHILD, str(batch), str(width), str(room_mib)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


@LINUX
def test_a_batch_too_large_is_halved_until_it_fits() -> None:
    """The very numbers of a recipe with that micro-batch, also of batch norms."""
    found = trained(1024, 8192, 120)
    micro_batch = found["divided"].pop("micro_batch")
    assert micro_batch in (512, 256, 128)
    assert found["divided"] == found["asked"]


@LINUX
def test_what_never_fits_is_a_failure() -> None:
    """The weights' own gradients are larger than the room."""
    assert "memory" in trained(64, 131_072, 50)["out_of_memory"].lower()
