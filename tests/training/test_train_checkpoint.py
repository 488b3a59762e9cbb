"""Checkpoints: whole or not at all, and a training put back exactly as it was."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nas.seeding import torch_rng
from nas.training.checkpoint import read_weights, restore_progress, save_progress, save_weights
from nas.training.recipe import Recipe
from nas.training.schedule import make_optimizer


def network() -> nn.Module:
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2)
    )
    return layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def steps(net: nn.Module, optimizer: torch.optim.Optimizer, count: int, seed: int) -> None:
    rng = torch_rng(seed, "steps")
    for _ in range(count):
        optimizer.zero_grad()
        net(torch.randn((5, 3, 8, 8), generator=rng)).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("optimizer_name", ["sgd", "adamw"])
def test_a_restored_training_goes_on_to_the_last_bit(tmp_path: Path, optimizer_name: str) -> None:
    recipe = Recipe().changed({"optimizer": optimizer_name})
    first = network()
    optimizer = make_optimizer(first, recipe)
    steps(first, optimizer, 3, seed=1)
    save_progress(tmp_path / "progress", first, optimizer, {"whose": "mine", "curve": [1.5]})
    steps(first, optimizer, 3, seed=2)

    second = network()
    again = make_optimizer(second, recipe)
    assert restore_progress(tmp_path / "progress", second, again, {"whose": "mine"}) == {
        "whose": "mine",
        "curve": [1.5],
    }
    steps(second, again, 3, seed=2)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-100]),
        lambda file: file.write_bytes(b"x" * 1000),
        lambda file: file.write_bytes(file.read_bytes()[:-1] + b"x"),  # one number, and it fits
    ],
)
def test_a_checkpoint_that_is_damaged_is_ignored(tmp_path: Path, damage: Any) -> None:
    net = network()
    optimizer = make_optimizer(net, Recipe())
    steps(net, optimizer, 1, seed=1)
    save_progress(tmp_path / "progress", net, optimizer, {"whose": "mine"})
    damage(tmp_path / "progress")
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    assert restore_progress(tmp_path / "progress", net, optimizer, {"whose": "mine"}) is None
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_a_checkpoint_of_another_training_is_ignored(tmp_path: Path) -> None:
    net = network()
    optimizer = make_optimizer(net, Recipe())
    save_progress(tmp_path / "progress", net, optimizer, {"seed": 1})
    assert restore_progress(tmp_path / "progress", net, optimizer, {"seed": 2}) is None


def test_weights_travel_with_their_facts(tmp_path: Path) -> None:
    net = network()
    save_weights(tmp_path / "deep" / "weights.safetensors", net, {"genotype": {"a": [1]}})
    tensors, facts = read_weights(tmp_path / "deep" / "weights.safetensors")
    assert facts == {"genotype": {"a": [1]}}
    network().load_state_dict(tensors)
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["weights.safetensors"]


def test_equal_weights_are_equal_files(tmp_path: Path) -> None:
    """safetensors itself writes what is said of weights in a new order each time."""
    net, facts = network(), {"genotype": {"ä": [1]}, "seed": 1}
    files = [tmp_path / f"weights-{number}" for number in range(16)]
    for file in files:
        save_weights(file, net, facts)
    assert len({file.read_bytes() for file in files}) == 1
    assert read_weights(files[0])[1] == facts


def test_a_crash_while_writing_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "weights"
    save_weights(file, network(), {"age": "old"})
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_weights(file, network(), {"age": "new"})
    assert read_weights(file)[1] == {"age": "old"}


def test_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.training.checkpoint._FORMAT", "2")
    save_weights(tmp_path / "weights", network(), {})
    monkeypatch.undo()
    with pytest.raises(ValueError, match="has format '2'; expected '1'"):
        read_weights(tmp_path / "weights")
