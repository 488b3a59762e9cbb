"""LeNet-5: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document
Recognition", 1998.

The form in use today, 61,706 parameters for one channel and ten classes. The paper's has 60,000:
its C3 maps see three, four or six of the six maps below (1,516 instead of 2,416 parameters), its
subsampling learns a factor and a bias per map (12 + 32), and its output compares with fixed codes
(0 instead of 850).
"""

from collections import OrderedDict

from torch import nn

from search_spaces.references import Form

SMALLEST = {"cifar": 32, "imagenet": 32}


def lenet_5(form: Form, channels: int, classes: int) -> nn.Module:
    """Both forms are one network: it was published for 32x32 only.

    C5 is a convolution because a larger image then gives a larger map (section II.B); we average
    that map.
    """
    del form
    maps = nn.Sequential(
        *(nn.Conv2d(channels, 6, 5), nn.Tanh(), nn.AvgPool2d(2)),  # C1, S2
        *(nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)),  # C3, S4
        *(nn.Conv2d(16, 120, 5), nn.Tanh()),  # C5
    )
    head = nn.Sequential(
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        *(nn.Linear(120, 84), nn.Tanh()),  # F6
        nn.Linear(84, classes),
    )
    return nn.Sequential(OrderedDict(maps=maps, head=head))
