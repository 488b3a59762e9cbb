"""The training loop: to the last bit the same, restored where it was, and failing in typed ways."""

import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from nas.contracts import FailureKind
from nas.errors import SettingsError
from nas.seeding import torch_rng
from nas.training.computation import Computation, chosen_device
from nas.training.datasets import Images, open_dataset
from nas.training.failures import Diverged, OutOfMemory, memory_watched
from nas.training.measurement import candidates, fastest
from nas.training.recipe import Recipe
from nas.training.schedule import learning_rate_at
from nas.training.trainer import Data, Metrics, Progress, Trainer
from search_spaces.cells.network import Skeleton, build_network
from search_spaces.nasnet import NasnetSpace

NOISE = open_dataset("noise:8")
DATA = Data(
    NOISE.load("train").at(np.arange(96)),
    NOISE.load("val").at(np.arange(40)),
    NOISE.mean,
    NOISE.std,
)
RECIPE = Recipe(
    epochs=3, batch_size=16, crop="pad", crop_margin=1, flip=True, cutout=2, rotation=5, zoom=0.1
)
SPACE = NasnetSpace(blocks=2)
SKELETON = Skeleton(
    cells_per_stage=1,
    filters=4,
    image_size=8,
    drop_path_keep=0.7,
    drop_path_steps=18,
    dropout_keep=0.9,
)


def child(seed: int = 0, skeleton: Skeleton = SKELETON) -> nn.Module:
    return build_network(
        SPACE.sample(np.random.default_rng(4)), skeleton, torch_rng(seed, "weights")
    )


def trained(
    recipe: Recipe = RECIPE, seed: int = 0, **options: Any
) -> tuple[list[Metrics], nn.Module]:
    options.setdefault("computation", Computation())
    trainer = Trainer(options.pop("network", None) or child(), DATA, recipe, seed=seed, **options)
    curve = trainer.run(options.pop("report", go_on))
    return curve, trainer.network


def go_on(epoch: int, metrics: Metrics) -> bool:
    return True


def without_clock(curve: list[Metrics]) -> list[Metrics]:
    measured = ("seconds", "images_per_second", "peak_memory_mib")
    return [
        {name: value for name, value in metrics.items() if name not in measured}
        for metrics in curve
    ]


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


# ------------------------------------------------------------------ numbers


@pytest.mark.parametrize("threads", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_equal_seeds_give_equal_numbers_to_the_last_bit(threads: int) -> None:
    computation = Computation(threads=threads)
    first, second = trained(computation=computation), trained(computation=computation)
    assert without_clock(first[0]) == without_clock(second[0])
    assert same_weights(first[1], second[1])
    other, _ = trained(seed=1, computation=computation)
    assert without_clock(other) != without_clock(first[0])


def test_the_global_generator_and_threads_are_left_alone() -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    trained()
    with pytest.raises(Killed), Computation(threads=threads + 1).active():  # noqa: PT012
        assert torch.get_num_threads() == threads + 1
        raise Killed
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_metrics_are_numbers_with_names_and_units() -> None:
    curve, _ = trained()
    assert len(curve) == 3
    for metrics in curve:
        assert list(metrics) == [
            "train_loss", "train_accuracy", "val_loss", "val_accuracy",
            "learning_rate", "seconds", "images_per_second", "peak_memory_mib",
        ]  # fmt: skip
        assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
        assert 0 <= metrics["train_accuracy"] <= 1
        assert min(metrics["seconds"], metrics["images_per_second"], metrics["peak_memory_mib"]) > 0
    assert curve[-1]["learning_rate"] == learning_rate_at(RECIPE, 17, 6)


class Plain(nn.Module):
    """A network whose every image is computed by itself, so that batches may be cut anywhere."""

    def __init__(self) -> None:
        super().__init__()
        rng = torch_rng(0, "plain")
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.linear = nn.Linear(6, 10)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=rng) * 0.2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.linear(functional.relu(self.conv(images)).mean((2, 3)))  # type: ignore[no-any-return]


def test_the_loop_does_what_the_textbook_loop_does() -> None:
    recipe = Recipe(
        epochs=2, batch_size=32, weight_decay=0.01, label_smoothing=0.1, gradient_clip=0.05
    )
    curve, network = trained(recipe, network=Plain())
    mine = Plain()
    weights = [p for p in mine.parameters() if p.ndim > 1]
    biases = [p for p in mine.parameters() if p.ndim == 1]
    groups = [{"params": weights, "weight_decay": 0.01}, {"params": biases}]
    optimizer = torch.optim.SGD(groups, lr=0.05, momentum=0.9, nesterov=True)
    pixels = torch.from_numpy(DATA.train.pixels).permute(0, 3, 1, 2) / 255
    images = (pixels - torch.tensor(NOISE.mean).view(3, 1, 1)) / torch.tensor(NOISE.std).view(
        3, 1, 1
    )
    labels = torch.from_numpy(DATA.train.labels)
    for epoch in (1, 2):
        order = torch.randperm(96, generator=torch_rng(0, "epoch", epoch))
        losses = []
        for step in range(3):
            batch = order[step * 32 : (step + 1) * 32]
            for group in optimizer.param_groups:
                group["lr"] = learning_rate_at(recipe, (epoch - 1) * 3 + step, 3)
            optimizer.zero_grad()
            loss = functional.cross_entropy(mine(images[batch]), labels[batch], label_smoothing=0.1)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(mine.parameters(), 0.05)
            optimizer.step()
            losses.append(loss.item())
        assert curve[epoch - 1]["train_loss"] == pytest.approx(sum(losses) / 3, rel=1e-5)
    for name, tensor in mine.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], tensor, atol=1e-6, rtol=1e-4)


def test_parts_of_a_batch_add_up_to_the_batch() -> None:
    recipe = Recipe(epochs=2, batch_size=32, flip=True)
    whole, first = trained(recipe, network=Plain())
    parts, second = trained(recipe.changed({"micro_batch": 12}), network=Plain())
    assert [m["val_loss"] for m in parts] == pytest.approx([m["val_loss"] for m in whole], rel=1e-5)
    assert [m["train_accuracy"] for m in parts] == [m["train_accuracy"] for m in whole]
    for name, tensor in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], tensor, atol=1e-6, rtol=1e-4)


def test_a_batch_larger_than_the_data_is_the_data() -> None:
    curve, _ = trained(Recipe(epochs=1, batch_size=5_000))
    assert len(curve) == 1


def test_the_auxiliary_head_takes_part_in_training() -> None:
    skeleton = Skeleton(cells_per_stage=1, filters=4, image_size=16, auxiliary=True)
    noise = open_dataset("noise:16")
    data = Data(
        noise.load("train").at(np.arange(32)),
        noise.load("val").at(np.arange(8)),
        noise.mean,
        noise.std,
    )
    for weight in (0.0, 0.4):
        network = child(skeleton=skeleton)
        before = {
            name: p.clone()
            for name, p in network.named_parameters()
            if name.startswith("auxiliary")
        }
        recipe = Recipe(epochs=1, batch_size=16, auxiliary_weight=weight, weight_decay=0.0)
        Trainer(network, data, recipe, seed=0, computation=Computation()).run(go_on)
        moved = [
            not torch.equal(p, before[name])
            for name, p in network.named_parameters()
            if name in before
        ]
        assert any(moved) == (weight > 0)


def test_bf16_trains_to_nearby_numbers() -> None:
    full, _ = trained(RECIPE)
    short, _ = trained(RECIPE, computation=Computation(precision="bf16"))
    assert short[0]["train_loss"] == pytest.approx(full[0]["train_loss"], rel=0.1)
    assert short[0]["train_loss"] != full[0]["train_loss"]


# ------------------------------------------------------------------ stops, crashes, failures


def test_a_report_that_says_stop_is_the_last() -> None:
    seen: list[int] = []

    def until_two(epoch: int, metrics: Metrics) -> bool:
        seen.append(epoch)
        return epoch < 2

    curve = Trainer(child(), DATA, RECIPE, seed=0, computation=Computation()).run(until_two)
    assert seen == [1, 2]
    assert len(curve) == 2


class Killed(BaseException):
    """What ends a process."""


@pytest.mark.parametrize("epoch_of_death", [1, 2, 3])
def test_an_interrupted_training_ends_as_if_it_had_not_been(
    tmp_path: Path, epoch_of_death: int
) -> None:
    def dies(epoch: int, metrics: Metrics) -> bool:
        if epoch == epoch_of_death:
            raise Killed
        return True

    progress = Progress(tmp_path / "progress", {"whose": "mine"}, seconds_between=0)
    whole, network = trained()
    with pytest.raises(Killed):
        Trainer(child(), DATA, RECIPE, seed=0, computation=Computation(), progress=progress).run(
            dies
        )
    told: list[int] = []
    again = Trainer(
        child(seed=9), DATA, RECIPE, seed=0, computation=Computation(), progress=progress
    )
    curve = again.run(lambda epoch, metrics: told.append(epoch) is None)
    assert told == [1, 2, 3]
    assert without_clock(curve) == without_clock(whole)
    assert same_weights(again.network, network)


def test_a_short_training_never_writes_a_checkpoint(tmp_path: Path) -> None:
    trained(progress=Progress(tmp_path / "progress", {}))
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_is_no_number_is_a_divergence() -> None:
    recipe = Recipe(epochs=2, batch_size=16, learning_rate=1000.0, gradient_clip=0.0)
    with pytest.raises(Diverged, match=r"loss is (nan|inf) .*epoch 1"):
        trained(recipe, network=Exploding())
    assert Diverged.failure_kind == "diverged"


class Exploding(Plain):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images).exp().exp()


@pytest.mark.parametrize(
    "fails",
    [
        lambda: torch.empty(2**60, dtype=torch.uint8),
        lambda: (_ for _ in ()).throw(MemoryError()),
        lambda: (_ for _ in ()).throw(
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        ),
    ],
)
def test_every_lack_of_memory_has_one_name(fails: Callable[[], Any]) -> None:
    expected: FailureKind = "out_of_memory"
    with pytest.raises(OutOfMemory) as raised, memory_watched():
        fails()
    assert raised.value.failure_kind == expected
    assert "\n" not in str(raised.value)


def test_other_failures_pass_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), memory_watched():
        torch.ones(2, 3) @ torch.ones(2, 3)


def test_twenty_children_leave_nothing_behind() -> None:
    data = Data(DATA.train.at(np.arange(16)), DATA.val.at(np.arange(8)), DATA.mean, DATA.std)
    tensors = []
    for number in range(20):
        recipe = Recipe(epochs=1, batch_size=8)
        Trainer(child(number), data, recipe, seed=number, computation=Computation()).run(go_on)
        if number in (4, 19):
            gc.collect()
            tensors.append(sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects()))
    assert tensors[1] <= tensors[0]


# ------------------------------------------------------------------ ways to compute


def test_candidates_begin_with_the_usual_way() -> None:
    ways = candidates(Computation(), "auto", "auto")
    assert ways[0] == Computation()
    assert len(set(ways)) == 4
    assert candidates(Computation(), "bf16", "contiguous") == [
        Computation(precision="bf16", layout="contiguous")
    ]


def test_one_way_needs_no_measurement() -> None:
    way = Computation(layout="contiguous")
    assert fastest([way], lambda: pytest.fail("built a network for nothing"), (3, 8, 8)) == way


def test_the_fastest_way_is_one_of_those_asked_about() -> None:
    ways = candidates(Computation(), "auto", "auto")
    assert fastest(ways, child, (3, 8, 8)) in ways


@pytest.mark.parametrize(("best", "expected"), [(0.9, 0), (0.75, 0), (0.7, 1)])
def test_only_a_clear_margin_changes_the_way(
    best: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = candidates(Computation(), "auto", "channels-last")
    clock = {"fp32": 1.0, "bf16": best}
    monkeypatch.setattr(
        "nas.training.measurement._Step.timed", lambda step: clock[step.way.precision]
    )
    assert fastest(ways, child, (3, 8, 8)) == ways[expected]


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "meta", "cpu:x"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="expected auto, cpu, cuda, cuda:1 or mps"):
        chosen_device(name)
    assert chosen_device("cpu") == "cpu"
    with pytest.raises(SettingsError, match="threads is 0; expected 1 or more"):
        Computation(threads=0)
    with pytest.raises(SettingsError, match="graphs need a CUDA device, but the device is cpu"):
        Computation(graphs=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_graphs_change_nothing_but_the_launching() -> None:
    plain, _ = trained(computation=Computation("cuda"))
    graphed, _ = trained(computation=Computation("cuda", graphs=True))
    assert [m["train_loss"] for m in graphed] == pytest.approx(
        [m["train_loss"] for m in plain], rel=1e-3
    )
    with pytest.raises(SettingsError, match="with graphs a batch is never divided"):
        trained(RECIPE.changed({"micro_batch": 8}), computation=Computation("cuda", graphs=True))


def test_fewer_images_keep_every_class() -> None:
    digits = open_dataset("digits")
    data = Data.of(digits, 100)
    assert len(data.train) == 100
    assert np.bincount(data.train.labels).min() >= 9
    assert isinstance(data.val, Images)
    assert len(Data.of(digits, 5_000).train) == 997


def test_reproducible_is_asked_of_torch_and_given_back() -> None:
    exact = Computation(reproducible=True)
    with exact.active():
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.allow_tf32
    assert not torch.are_deterministic_algorithms_enabled()
    assert exact.to_dict()["reproducible"] is True
    assert "reproducible" not in Computation().to_dict()
