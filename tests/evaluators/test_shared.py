"""Shared weights: what children borrow, that a killed training goes on exactly, and that a judged
child depends on weights, genotype and seed alone."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nas import registry
from nas.errors import SettingsError
from nas.evaluators.shared import Shared, make_supernet
from nas.evaluators.train import Train
from nas.seeding import numpy_rng, torch_rng
from nas.training.shared_weights import SharedWeights, borrowed
from search_spaces.cells import ops
from search_spaces.cells.genotype import Cell, Edge, Genotype, Node
from search_spaces.cells.network import build_network
from search_spaces.cells.skeleton import Skeleton
from search_spaces.cells.space import SearchSpace

SMALL = Skeleton(filters=4, cells_per_stage=1, image_size=8, channels=1)
QUICK: dict[str, Any] = {
    "dataset": "digits",
    "device": "cpu",
    "precision": "fp32",
    "layout": "channels-last",
    "recipe": {"batch_size": 32, "train_images": 96},
    "skeleton": {"filters": 4},
}
LADDER = registry.load("space", "ladder")()


def network(first: str, second: str, *, chain: bool = False) -> nn.Module:
    nodes = (
        Node((Edge(0, first), Edge(1, second))),
        Node((Edge(2 if chain else 1, first), Edge(0, second)), "concat"),
    )
    return build_network(
        Genotype("nasnet", {"normal": Cell(nodes), "reduction": Cell(nodes)}), SMALL, torch_rng(0)
    )


def keys(network: nn.Module) -> set[str]:
    return {key for each in borrowed(network) for key in each.keys}


def test_children_share_an_operation_of_one_place_node_and_slot_and_no_other() -> None:
    one, other = keys(network("sep_3x3", "conv_3x3")), keys(network("sep_3x3", "max_3x3"))
    assert any(".nodes.0.edges.0.sep_3x3." in key for key in one & other)
    assert all(".edges.1.conv_3x3." not in key for key in one & other)
    swapped = keys(network("conv_3x3", "sep_3x3"))
    assert all(".edges." not in key or ".edges." in key.split("x3")[0] for key in swapped)
    assert not [key for key in one & swapped if ".edges." in key]


def test_a_loose_end_more_is_a_block_of_columns_more() -> None:
    wide, narrow = network("sep_3x3", "max_3x3"), network("sep_3x3", "max_3x3", chain=True)
    shared = SharedWeights(seed=1)
    both = [shared.of(each, learning=True) for each in (wide, narrow)]
    assert both[0]["head.linear.weight"].shape[1] == 2 * both[1]["head.linear.weight"].shape[1]
    columns = both[1]["head.linear.weight"].shape[1]
    assert torch.equal(both[0]["head.linear.weight"][:, :columns], both[1]["head.linear.weight"])
    # Blocks begin alike, so that it does not matter at first which loose end came where.
    first, second = both[0]["head.linear.weight"].split(columns, dim=1)
    assert torch.equal(first, second)
    both[0]["head.linear.weight"].sum().backward()
    blocks = [key for key in shared.tensors if key.startswith("head.linear.weight")]
    assert len(blocks) == 2
    assert all(shared.tensors[key].grad is not None for key in blocks)


def test_it_does_not_matter_which_child_came_first() -> None:
    children = [network("sep_3x3", "max_3x3"), network("conv_3x3", "identity", chain=True)]
    one, other = SharedWeights(seed=1), SharedWeights(seed=1)
    for each in children:
        one.of(each, learning=True)
    for each in reversed(children):
        other.of(each, learning=True)
    assert one.tensors.keys() == other.tensors.keys()
    assert all(torch.equal(one.tensors[key], other.tensors[key]) for key in one.tensors)
    fresh = SharedWeights(seed=2)
    fresh.of(children[0], learning=True)
    assert any(not torch.equal(fresh.tensors[key], one.tensors[key]) for key in fresh.tensors)


class Killed(Exception):
    """What a report raises where a process would die."""


def made(folder: Path, space: SearchSpace, steps: int, die_at: int | None = None) -> Any:
    def report(step: int, loss: float) -> None:
        if step == die_at:
            raise Killed

    train = Train(space, **QUICK, checkpoint_seconds=0.0)
    return make_supernet(train, folder, steps=steps, seed=3, report=report)


def test_a_killed_training_goes_on_exactly(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole", LADDER, 8)
    with pytest.raises(Killed):
        made(tmp_path / "killed", LADDER, 8, die_at=5)
    assert (tmp_path / "killed" / "progress.safetensors").is_file()
    again = made(tmp_path / "killed", LADDER, 8)
    assert again["weights"] == whole["weights"]
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == [
        "supernet.json",
        "weights.safetensors",
    ]
    before = (tmp_path / "whole" / "weights.safetensors").stat().st_mtime_ns
    assert made(tmp_path / "whole", LADDER, 8) == whole
    assert (tmp_path / "whole" / "weights.safetensors").stat().st_mtime_ns == before
    with pytest.raises(SettingsError, match="holds a supernet with another steps"):
        made(tmp_path / "whole", LADDER, 9)


def score(judge: Shared, genotype: Genotype, folder: Path, seed: int = 1) -> float:
    return judge.evaluate(genotype, seed=seed, workdir=folder, report=lambda *_: True).metrics[
        "shared_loss"
    ]


@pytest.mark.parametrize("name", ["ladder", "darts", "nasbench201", "nasnet"])
def test_a_judged_child_depends_on_weights_genotype_and_seed_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.training.supernet.CALIBRATED_ON", 32)  # of the 96 there are
    space = registry.load("space", name)()
    made(tmp_path / "net", space, 3)
    judge = Shared(space, supernet=str(tmp_path / "net"), device="cpu")
    drawn = [space.sample(numpy_rng(number, "children")) for number in range(3)]
    there = [score(judge, genotype, tmp_path) for genotype in drawn]
    sent = pickle.loads(pickle.dumps(judge))
    sent.take_shared(judge.shared())
    assert [score(sent, genotype, tmp_path) for genotype in reversed(drawn)] == there[::-1]
    assert score(judge, drawn[0], tmp_path, seed=2) != there[0]  # calibrated on other pictures


def test_a_worker_that_was_sent_before_the_weights_were_made_judges_alike(tmp_path: Path) -> None:
    own = {name: QUICK[name] for name in ("dataset", "device", "recipe", "skeleton")}
    judge = Shared(LADDER, **own, steps=2)
    sent = pickle.loads(pickle.dumps(judge))  # as Ray's workers are, when a runner is checked
    said: list[str] = []
    judge.prepare(tmp_path / "study", 5, said.append)
    assert "2 steps" in said[-1]
    sent.take_shared(judge.shared())
    genotype = LADDER.sample(numpy_rng(0))
    assert score(sent, genotype, tmp_path) == score(judge, genotype, tmp_path)


def test_what_is_no_supernet_of_this_space_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no supernet: make one with `nas supernet"):
        Shared(LADDER, supernet=str(tmp_path / "none"))
    made(tmp_path / "net", LADDER, 1)
    with pytest.raises(SettingsError, match="is a supernet of another space"):
        Shared(registry.load("space", "nasbench201")(), supernet=str(tmp_path / "net"))
    judge = Shared(LADDER, supernet=str(tmp_path / "net"), device="cpu")
    record = json.loads((tmp_path / "net" / "supernet.json").read_text())
    assert judge.measured()["weights"] == record["weights"]
    (tmp_path / "net" / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(SettingsError, match=r"is not what supernet\.json names"):
        score(judge, LADDER.decode((0, 0, 0)), tmp_path)


class Scaled(nn.Module):
    """An operation of somebody's own: a convolution, and a number that it brings along."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.scale = nn.Parameter(torch.full((filters, 1, 1), 0.25))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scaled: torch.Tensor = self.conv(x) * self.scale
        return scaled


def test_an_operation_of_ones_own_is_shared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def own_scaled(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
        del style
        return Scaled(channels, filters, stride)

    monkeypatch.setitem(ops._OPS, "own_scaled", own_scaled)
    shared = SharedWeights(seed=1)
    weights = shared.of(network("own_scaled", "max_3x3"), learning=True)
    scale = [key for key in shared.tensors if ".edges.0.own_scaled.scale" in key]
    assert scale
    assert all(bool((shared.tensors[key] == 0.25).all()) for key in scale)
    again = shared.of(network("own_scaled", "sep_3x3"))
    name = "cells.1.nodes.0.edges.0.scale"
    assert weights[name] is again[name]


def test_what_is_said_beside_a_named_supernet_must_be_so(tmp_path: Path) -> None:
    made(tmp_path / "net", LADDER, 1)
    named = {"supernet": str(tmp_path / "net"), "device": "cpu"}
    Shared(LADDER, **named, dataset="digits", skeleton={"filters": 4})
    for other in ({"dataset": "digits-hard"}, {"skeleton": {"filters": 8}}):
        with pytest.raises(SettingsError, match=r"is a supernet with another .* make another"):
            Shared(LADDER, **named, **other)
    unmade = Shared(LADDER, dataset="digits", device="cpu")
    with pytest.raises(SettingsError, match=r"name it as evaluator\.supernet"):
        score(unmade, LADDER.sample(numpy_rng(0)), tmp_path)
