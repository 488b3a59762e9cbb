"""The hand-designed networks: their published counts, their forms, and what can be done with
them."""

import copy
import io
import pickle
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from search_spaces import references
from search_spaces.errors import NasError, NetworkError

NAMES = [
    *("alexnet", "densenet-121", "googlenet", "lenet-5", "mobilenet"),
    *("preact-resnet-18", "resnet-18", "resnet-50", "vgg-16"),
]
FORMS: list[references.Form] = ["cifar", "imagenet"]

# Small enough to run on one core; the others are run on the meta device.
LIGHT = ["densenet-121", "googlenet", "lenet-5", "mobilenet", "preact-resnet-18", "resnet-18"]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def trainable(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def with_statistics(network: nn.Module) -> int:
    """As Keras counts: means and variances too, but no counter of batches."""
    statistics = (buffer.numel() for name, buffer in network.named_buffers() if "running" in name)
    return trainable(network) + sum(statistics)


def multiply_adds(network: nn.Module, image_size: int) -> int:
    images = torch.empty(1, 3, image_size, image_size, device="meta")
    with FlopCounterMode(display=False) as counter:
        network.eval()(images)
    return int(counter.get_total_flops()) // 2


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smallest(name: str, form: references.Form) -> int:
    """The least image size that is not refused."""
    for image_size in range(1, 100):
        try:
            references.build(name, classes=2, image_size=image_size, form=form, device="meta")
        except NetworkError:
            continue
        return image_size
    raise AssertionError("every size is refused")


def test_names_are_found() -> None:
    assert references.names() == NAMES


@pytest.mark.parametrize(
    ("name", "count", "counted_with_statistics", "macs"),
    [
        ("alexnet", 61_100_840, 61_100_840, 714_188_480),
        ("densenet-121", 7_978_856, 8_062_504, 2_834_161_664),
        ("googlenet", 6_624_904, 6_639_464, 1_498_376_192),
        ("mobilenet", 4_231_976, 4_253_864, 568_740_352),
        ("preact-resnet-18", 11_687_720, 11_695_528, 1_814_073_344),
        ("resnet-18", 11_689_512, 11_699_112, 1_814_073_344),
        ("resnet-50", 25_557_032, 25_610_152, 4_089_184_256),
        ("vgg-16", 138_357_544, 138_357_544, 15_470_264_320),
    ],
)
def test_imagenet_golden_numbers(
    name: str, count: int, counted_with_statistics: int, macs: int
) -> None:
    network = references.build(name, classes=1000, image_size=224, device="meta")
    assert (trainable(network), with_statistics(network)) == (count, counted_with_statistics)
    assert multiply_adds(network, 224) == macs


@pytest.mark.parametrize(
    ("name", "count", "macs"),
    [
        ("alexnet", 2_472_266, 14_957_056),
        ("densenet-121", 6_956_298, 888_350_720),
        ("googlenet", 6_166_250, 1_521_756_160),
        ("lenet-5", 62_006, 651_720),
        ("mobilenet", 3_217_226, 46_354_432),
        ("preact-resnet-18", 11_171_146, 555_422_720),
        ("resnet-18", 11_173_962, 555_422_720),
        ("resnet-50", 23_520_842, 1_297_829_888),
        ("vgg-16", 14_728_266, 313_201_664),
    ],
)
def test_cifar_golden_numbers(name: str, count: int, macs: int) -> None:
    network = references.build(name, classes=10, device="meta")
    assert trainable(network) == count
    assert multiply_adds(network, 32) == macs


def test_resnet_50_as_keras_counts() -> None:
    network = references.build("resnet-50", classes=1000, form="imagenet", device="meta", bias=True)
    assert with_statistics(network) == 25_636_712
    assert trainable(network) == 25_583_592
    assert (
        sum(layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d))
        == 26_560
    )


def test_googlenet_of_the_paper() -> None:
    """With 5x5 kernels, and a bias for each map in place of the two parameters of its
    normalization."""
    network = references.build(
        "googlenet", classes=1000, form="imagenet", device="meta", paper_kernels=True
    )
    maps = sum(
        layer.num_features for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)
    )
    assert trainable(network) == 7_005_832
    assert trainable(network) - maps == 6_998_552


def test_pre_activation_with_the_final_normalization() -> None:
    assert (
        trainable(references.build("preact-resnet-18", classes=10, device="meta", final_norm=True))
        == 11_172_170
    )


def test_lenet_counts_for_one_channel() -> None:
    for form in FORMS:
        assert (
            trainable(references.build("lenet-5", classes=10, channels=1, form=form, device="meta"))
            == 61_706
        )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_channels_and_odd_sizes(name: str, form: references.Form) -> None:
    for channels in (1, 2, 3, 4):
        network = references.build(name, classes=7, form=form, channels=channels, device="meta")
        images = torch.empty(2, channels, 97, 83, device="meta")
        assert network(images).shape == (2, 7)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_smallest_size_runs(name: str, form: references.Form) -> None:
    least = smallest(name, form)
    assert least <= 63
    network = references.build(name, classes=2, image_size=least, form=form, device="meta")
    assert network.eval()(torch.empty(1, 3, least, least, device="meta")).shape == (1, 2)


@pytest.mark.parametrize(
    ("name", "form"),
    [("alexnet", "cifar"), ("alexnet", "imagenet"), ("lenet-5", "cifar"), ("vgg-16", "cifar")],
)
def test_refused_size_would_not_run(name: str, form: references.Form) -> None:
    """What is refused where nothing pads is exactly what torch could not run."""
    least = smallest(name, form)
    network = references.build(name, classes=2, form=form, device="meta").eval()
    with pytest.raises(RuntimeError, match=r"too small|Kernel size can't be greater"):
        network(torch.empty(1, 3, least - 1, least - 1, device="meta"))


def test_size_chooses_the_form() -> None:
    def stem(image_size: int) -> nn.Module:
        network = references.build("resnet-18", classes=2, image_size=image_size, device="meta")
        return next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))

    kernels = {image_size: stem(image_size).kernel_size for image_size in (8, 32, 64, 65, 224)}
    assert kernels == {8: (3, 3), 32: (3, 3), 64: (3, 3), 65: (7, 7), 224: (7, 7)}


@pytest.mark.parametrize("name", LIGHT)
def test_weights_come_from_the_generator_alone(name: str) -> None:
    before = torch.get_rng_state()
    first, again, other, unsaid = (
        references.build(name, classes=3, generator=seeded)
        for seeded in (generator(1), generator(1), generator(2), None)
    )
    assert torch.equal(before, torch.get_rng_state())
    for network in (first, again, other, unsaid):
        assert all(torch.isfinite(value).all() for value in network.state_dict().values())
    expected = first.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in again.state_dict().items())
    drawn = [key for key, value in expected.items() if value.dim() > 1]
    assert not any(torch.equal(other.state_dict()[key], expected[key]) for key in drawn)
    default = references.build(name, classes=3, generator=generator(0)).state_dict()
    assert all(torch.equal(value, default[key]) for key, value in unsaid.state_dict().items())


@pytest.mark.parametrize("name", ["alexnet", *LIGHT])
def test_outputs_have_a_sane_size_at_the_start(name: str) -> None:
    network = references.build(name, classes=10, generator=generator(3)).train()
    outputs = network(torch.randn(4, 3, 32, 32, generator=generator(4)))
    assert outputs.shape == (4, 10)
    assert 0.1 < outputs.std().item() < 4


@pytest.mark.parametrize("name", LIGHT)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    network = references.build(name, classes=10, generator=generator(3)).train()
    outputs = network(torch.randn(4, 3, 32, 32, generator=generator(4)))
    loss = nn.functional.cross_entropy(outputs, torch.arange(4))
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    # A bias before a normalization has none but for rounding.
    assert all(gradient.any() for gradient in gradients if gradient.dim() > 1)


@pytest.mark.parametrize("name", LIGHT)
def test_channels_last_gives_the_same_outputs(name: str) -> None:
    network = references.build(name, classes=5, generator=generator(5)).eval()
    images = torch.randn(2, 3, 32, 32, generator=generator(6))
    with torch.no_grad():
        expected = network(images)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        again = network(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(again, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", LIGHT)
def test_copies_give_the_same_outputs(name: str) -> None:
    network = references.build(name, classes=5, generator=generator(7)).eval()
    images = torch.randn(1, 3, 32, 32, generator=generator(8))
    saved = io.BytesIO(pickle.dumps(network))
    with torch.no_grad():
        expected = network(images)
        for copied in (copy.deepcopy(network), pickle.load(saved)):
            assert torch.equal(copied(images), expected)


@pytest.mark.parametrize("name", ["googlenet", "lenet-5", "preact-resnet-18"])
def test_export_gives_the_same_outputs(name: str) -> None:
    network = references.build(name, classes=5, generator=generator(9)).eval()
    images = torch.randn(2, 3, 32, 32, generator=generator(10))
    exported = torch.export.export(network, (images,)).module()
    torch.testing.assert_close(exported(images), network(images))


def test_listing_imports_no_torch() -> None:
    code = (
        "import sys; from search_spaces import references; references.names(); print('torch' "
        "in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        (
            "resnet18",
            {"classes": 10},
            "no reference network is called 'resnet18'; there are alexnet, densenet-121, "
            "googlenet, lenet-5, "
            "mobilenet, preact-resnet-18, resnet-18, resnet-50, vgg-16; did you mean 'resnet-18'?",
        ),
        ("resnet-18", {"classes": 0}, "classes is 0; expected a whole number from 1 to 1000000"),
        (
            "resnet-18",
            {"classes": True},
            "classes is True; expected a whole number from 1 to 1000000",
        ),
        (
            "resnet-18",
            {"classes": 2.5},
            "classes is 2.5; expected a whole number from 1 to 1000000",
        ),
        (
            "resnet-18",
            {"classes": 2, "channels": -1},
            "channels is -1; expected a whole number from 1 to 1000000",
        ),
        (
            "vgg-16",
            {"classes": 2, "image_size": "32"},
            "image_size is '32'; expected a whole number from 1 to 1000000",
        ),
        (
            "vgg-16",
            {"classes": 2, "image_size": 31},
            (
                "image_size 31 is too small for the cifar form of vgg-16: expected 32 or more; "
                "enlarge the images"
            ),
        ),
        (
            "alexnet",
            {"classes": 2, "image_size": 62, "form": "imagenet"},
            (
                "image_size 62 is too small for the imagenet form of alexnet: expected 63 or more; "
                "use the cifar form"
            ),
        ),
        (
            "alexnet",
            {"classes": 2, "form": "imagnet"},
            (
                "no form of a reference network is called 'imagnet'; there are cifar, imagenet; "
                "did "
                "you mean 'imagenet'?"
            ),
        ),
        (
            "resnet-50",
            {"classes": 2, "biass": True},
            "no option of resnet-50 is called 'biass'; there are bias; did you mean 'bias'?",
        ),
        (
            "resnet-18",
            {"classes": 2, "bias": True},
            "no option of resnet-18 is called 'bias'; there are none",
        ),
        ("resnet-50", {"classes": 2, "bias": 1}, "bias of resnet-50 is 1; expected true or false"),
    ],
)
def test_errors_say_what_to_do(name: str, settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(NasError) as raised:
        references.build(name, **settings)  # type: ignore[arg-type]
    assert isinstance(raised.value, NetworkError)
    assert str(raised.value) == sentence
