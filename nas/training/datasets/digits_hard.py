"""The digits with few images to learn from and many to be judged by, so that architectures differ
by more than luck.

The test split is the 400 images of `digits`; what is left is divided anew. The spread of random
cells, three seeds each, as their range and as their standard deviation, both divided by the
deviation between seeds:

30 of nasnet, preset `digits-demo` (18 steps): 0.265 to 0.869, range 11.1, deviation 2.8 (seeds
0.054). 30 of nasnet, `digits-hard` with 6 epochs (24 steps): 0.403 to 0.887, range 14.1, deviation
3.3 (seeds 0.034). 20 of nasbench201, preset `digits-hard` (64 steps): 0.871 to 0.940, range 6.6,
deviation 1.8 (seeds 0.0105).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from nas.training.datasets import Images
from nas.training.datasets._splits import stratified
from nas.training.datasets.digits import digits, read_all
from nas.training.recipe import Preset, Recipe

_TEST, _VAL, _TRAIN = 400, 1197, 200


def _read(split: str, data_dir: Path | None) -> Images:
    del data_dir
    if split == "test":
        return digits.read("test", None)
    everything = read_all()
    (test,) = stratified(everything.labels, [_TEST], seed=0, purpose="digits")
    rest = everything.at(np.setdiff1d(np.arange(len(everything)), test))
    val, train = stratified(rest.labels, [_VAL, _TRAIN], seed=0, purpose="digits-hard")
    return rest.at(val if split == "val" else train)


digits_hard = replace(
    digits,
    name="digits-hard",
    read=_read,
    preset="digits-hard",
    final="digits-hard",
    presets={
        # 200 images make an epoch of four steps, so it takes more of them; children end before all
        # cells are equally good.
        "digits-hard": Preset(
            Recipe(epochs=16, batch_size=50, learning_rate=0.2),
            {"cells_per_stage": 1, "filters": 8, "bn_momentum": 0.3},
        ),
    },
)
