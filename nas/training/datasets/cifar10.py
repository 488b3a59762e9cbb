"""CIFAR-10 (Krizhevsky 2009): 45,000 images to train on, 5,000 to validate, the official 10,000 for
the final test."""

from dataclasses import replace

from nas.training.datasets import Dataset
from nas.training.datasets._cifar import Cifar
from nas.training.recipe import Preset, Recipe

_read = Cifar(
    name="cifar10",
    folder="cifar-10-batches-py",
    archive="cifar-10-python.tar.gz",
    sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    train_files=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test_file="test_batch",
    labels="labels",
)

_RECIPE = Recipe(crop="pad", flip=True)

cifar10 = Dataset(
    "cifar10",
    10,
    32,
    3,
    (0.4914, 0.4822, 0.4465),
    (0.2470, 0.2435, 0.2616),
    _read,
    preset="cifar10-quick",
    final="cifar10-final",
    class_names=(
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    presets={
        # A proxy that ranks cells in minutes on a CPU: small, few epochs, a fifth of the images.
        "cifar10-quick": Preset(
            replace(_RECIPE, epochs=6, train_images=10_000, learning_rate=0.1),
            {"cells_per_stage": 1, "filters": 8},
        ),
        # The paper's search (section 4 and appendix): N=2, 20 epochs, crops of 40x40; it states no
        # width, batch, rate.
        "cifar10-search": Preset(
            replace(_RECIPE, epochs=20, batch_size=64, learning_rate=0.05, crop="upsample"),
            {"cells_per_stage": 2, "filters": 32},
        ),
        # Final training as in NASNet's code: batch 32, rate 0.025, 600 epochs, auxiliary head,
        # drop-path to 0.6, cutout.
        "cifar10-final": Preset(
            replace(_RECIPE, epochs=600, batch_size=32, learning_rate=0.025, cutout=16),
            {"cells_per_stage": 6, "filters": 32, "auxiliary": True, "drop_path_keep": 0.6},
        ),
    },
    test_images=10_000,
)
