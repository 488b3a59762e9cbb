"""CIFAR-100 (Krizhevsky 2009), fine labels: splits as for CIFAR-10."""

from nas.training.datasets import Dataset
from nas.training.datasets._cifar import Cifar

_read = Cifar(
    name="cifar100",
    folder="cifar-100-python",
    archive="cifar-100-python.tar.gz",
    sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    train_files=("train",),
    test_file="test",
    labels="fine_labels",
)

cifar100 = Dataset(
    "cifar100", 100, 32, 3, (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762), _read
)
