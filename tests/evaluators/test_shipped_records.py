"""The records of the NASNet space that come with the package: real trainings, true to their
card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from nas.evaluators._record_rows import TableRow, read_rows
from nas.evaluators._table_file import open_table
from nas.evaluators.table import SHIPPED
from nas.registry import load
from nas.search.tabulation import Sample
from nas.seeding import derive
from nas.study.attempt import never_stop
from nas.training.datasets import DatasetError
from parts.command_line import nas

FILE = SHIPPED / "nasnet-cifar10.csv.gz"
FACTS = json.loads((SHIPPED / "nasnet-cifar10.json").read_text())
CARD = (SHIPPED / "nasnet-cifar10.md").read_text()
NASNET = load("space", "nasnet")()


@pytest.fixture(scope="module")
def rows() -> Sequence[TableRow]:
    """Their keys are those of their architectures, or reading refuses them."""
    return read_rows(open_table(FILE), NASNET)


def test_the_card_speaks_of_this_file(rows: Sequence[TableRow]) -> None:
    assert FILE.stat().st_size < 1e6
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == FACTS["sha256"]
    assert FACTS["sha256"] in CARD
    assert len({row.genotype.key for row in rows}) == len(rows) == FACTS["rows"]
    trained = [score for row in rows for score in row.scores if score is not None]
    assert len(trained) == FACTS["trainings"]
    assert all(0 <= score <= 1 for score in trained)
    assert sum(None not in row.scores for row in rows) == FACTS["repeated"]
    assert all(row.curve[-1] == pytest.approx(row.score_of(0), abs=1e-5) for row in rows)
    assert f"{FACTS['tau_between_seeds'][0]:.2f}" in CARD


def test_sizes_are_those_of_the_networks_that_were_trained(rows: Sequence[TableRow]) -> None:
    trained = load("evaluator", "train")(NASNET, **FACTS["study"]["evaluator"]["options"])
    for row in rows[::10]:
        assert trained.costs(row.genotype) == dict(row.metrics)


def test_a_comparison_needs_nothing_else(tmp_path: Path) -> None:
    words = ("--space", "nasnet", "--evaluator", "surrogate", "--trials", "12", "--json")
    both = ("--strategies", "evolution", "--seeds", "2", "--processes", "1", "--no-report")
    assert nas("compare", *words, *both, "--out", tmp_path / "c").json["studies"] == 4
    study = json.loads((tmp_path / "c" / "evolution" / "seed-1" / "study.json").read_text())
    assert study["measured"]["rows"] == FACTS["surrogate"]["rows"]
    assert study["measured"]["tau"] == FACTS["surrogate"]["tau"]


@pytest.mark.slow
def test_training_again_gives_the_score_again(tmp_path: Path, rows: Sequence[TableRow]) -> None:
    """To the last bit on the kind of processor that made it; within a few pictures elsewhere."""
    trained = load("evaluator", "train")(NASNET, **FACTS["study"]["evaluator"]["options"])
    try:
        trained.dataset.load("val")
    except DatasetError:
        pytest.skip("CIFAR-10 is not here: set NAS_DATA to the folder that has it")
    first = Sample(NASNET, 0, neighbour_every=5).ask(0)
    assert first is not None
    row = next(row for row in rows if row.genotype.key == first.genotype.key)
    found = trained.evaluate(
        row.genotype, seed=derive(0, "trial", 0), workdir=tmp_path, report=never_stop
    )
    assert found.score == pytest.approx(row.score_of(0), abs=0.05)
