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

_CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""

cifar100 = Dataset(
    "cifar100",
    100,
    32,
    3,
    (0.5071, 0.4865, 0.4409),
    (0.2673, 0.2564, 0.2762),
    _read,
    final="cifar10-final",
    class_names=tuple(_CLASSES.split()),
    test_images=10_000,
)
