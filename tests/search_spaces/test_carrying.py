"""Cells that carry nothing of their inputs: found by rule, told as chance, and left out of samples
that ask for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from nas.evaluators.train import Train
from nas.registry import load
from nas.seeding import numpy_rng
from parts.command_line import nas
from search_spaces.cells import OP_NAMES
from search_spaces.cells.carrying import carries_input
from search_spaces.cells.genotype import Cell, Edge, Genotype, Node
from search_spaces.cells.skeleton import Skeleton

SPACE = load("space", "nasbench201")()


def test_the_rule_says_what_a_network_does() -> None:
    """Two images get one answer exactly from the networks that carry nothing."""
    skeleton = Skeleton(layout="nasbench201", filters=4, cells_per_stage=1, image_size=8)
    images = torch.randn((2, 3, 8, 8), generator=torch.Generator().manual_seed(1))
    kinds = set()
    drawn = [SPACE.sample(numpy_rng(number, "carrying")) for number in range(40)]
    for genotype in [SPACE.decode([0] * len(SPACE.counts)), *drawn]:
        network = SPACE.build(genotype, skeleton).eval()
        with torch.no_grad():
            alike = torch.equal(*network(images))
        assert alike is not carries_input(genotype)
        kinds.add(alike)
    assert kinds == {True, False}


@pytest.mark.parametrize("op", OP_NAMES)
def test_one_edge_is_enough_unless_it_is_none(op: str) -> None:
    cell = Cell((Node((Edge(0, op), Edge(1, "none"))), Node((Edge(2, "identity"),))))
    assert carries_input(Genotype("nasnet", {"normal": cell})) is (op != "none")


def test_it_is_told_as_chance_and_costs_nothing(tmp_path: Path) -> None:
    judge = Train(SPACE, dataset="digits", device="cpu", precision="fp32", layout="channels-last")
    dead = SPACE.decode([0] * len(SPACE.counts))
    assert not carries_input(dead)
    reports: list[int] = []
    found = judge.evaluate(
        dead, seed=0, workdir=tmp_path, report=lambda step, _: bool(reports.append(step)) or True
    )
    labels = judge.dataset.load("val").labels.tolist()
    assert found.score == max(map(labels.count, range(10))) / len(labels)
    assert (found.seconds, found.metrics["epochs"], reports) == (0.0, 0, [])
    assert list(tmp_path.iterdir()) == []


def test_valid_samples_are_those_that_carry() -> None:
    every = nas("sample", "nasbench201", "-n", "200").out.splitlines()
    valid = nas("sample", "nasbench201", "-n", "50", "--valid").out.splitlines()
    carrying = [line for line in every if carries_input(Genotype.from_dict(json.loads(line)))]
    assert len(carrying) < len(every)
    assert valid == carrying[:50]
