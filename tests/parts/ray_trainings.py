"""A driver for tests: a small network trained by the workers of a Ray cluster, kept after every
epoch.

`python parts.ray_trainings.py FOLDER WORKERS EPOCHS`; with no workers it is trained in this process
by two halves of each batch.
"""

from __future__ import annotations

import sys
from pathlib import Path

from nas.exporting.choosing import Choice
from nas.full_size.retrain import Retrained, retrain
from nas.full_size.settings import setting_of
from nas.full_size.trainings import Here, Place
from nas.registry import load
from nas.seeding import numpy_rng
from nas.training.datasets import open_dataset
from nas.training.recipe import Recipe
from search_spaces.cells.skeleton import Skeleton

SKELETON = Skeleton(cells_per_stage=1, filters=4, image_size=8, channels=1, drop_path_keep=0.8)


def train(folder: Path, workers: int, epochs: int) -> Retrained:
    """Train one seed; no export."""
    genotype = load("space", "nasnet")(blocks=2).sample(numpy_rng(0, "ray"))
    place: Place = (
        load("place", "ray-train")(workers=workers, address="auto") if workers else Here()
    )
    recipe = Recipe(
        epochs=epochs, batch_size=64, train_images=256, micro_batch=None if workers else 32
    )
    setting = setting_of(
        open_dataset("digits"), recipe, device="cpu", threads=1, checkpoint_seconds=0, place=place
    )
    choice = Choice(genotype=genotype, name="small", title="small")
    with place.opened(folder, lambda words: None):
        return retrain(
            [(choice, SKELETON)], setting, folder, seeds=[1], watch=lambda *_: None, formats=[]
        )


if __name__ == "__main__":
    train(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
