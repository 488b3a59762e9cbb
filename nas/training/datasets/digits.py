"""The 1,797 handwritten digits of UCI, 8x8 and grey, which come with the package: nothing to
download.

997 images to train on, 400 to validate, 400 for the final test.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nas.training.datasets import Dataset, Images
from nas.training.datasets._splits import stratified
from nas.training.recipe import Preset, Recipe

_FILE = Path(__file__).parents[2] / "digits.npz"
_SIZES = {"test": 400, "val": 400, "train": 997}


def read_all() -> Images:
    """All images, in the order of the source."""
    with np.load(_FILE) as stored:
        return Images(stored["images"][..., None], stored["labels"].astype(np.int64))


def _read(split: str, data_dir: Path | None) -> Images:
    del data_dir
    everything = read_all()
    parts = stratified(everything.labels, list(_SIZES.values()), seed=0, purpose="digits")
    return everything.at(parts[list(_SIZES).index(split)])


digits = Dataset(
    "digits",
    10,
    8,
    1,
    (0.30592,),
    (0.37657,),
    _read,
    preset="digits-demo",
    final="digits-demo",
    class_names=tuple("0123456789"),
    presets={
        # Tuned for a bare `nas search`: a child takes a few seconds on one core and good cells pass
        # 97 %. Epochs are 15 steps short, so batch norms must follow faster than their usual 0.1.
        "digits-demo": Preset(
            Recipe(epochs=6, batch_size=64, learning_rate=0.2),
            {"cells_per_stage": 1, "filters": 8, "bn_momentum": 0.3},
        ),
    },
    test_images=400,
)
