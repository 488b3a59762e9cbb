"""CIFAR-10 (Krizhevsky 2009): 45,000 images to train on, 5,000 to validate, the official 10,000 for
the final test."""

from nas.training.datasets import Dataset
from nas.training.datasets._cifar import Cifar

_read = Cifar(
    name="cifar10",
    folder="cifar-10-batches-py",
    archive="cifar-10-python.tar.gz",
    sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    train_files=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test_file="test_batch",
    labels="labels",
)

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
)
