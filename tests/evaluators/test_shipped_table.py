"""The table of trained architectures that comes with the package: complete, small, true to its
card."""

import csv
import gzip
import hashlib
import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

import pytest

from nas.contracts import Evaluation
from nas.evaluators.table import SHIPPED, Table
from nas.registry import load
from nas.search.tabulation import Enumeration, distinct_architectures
from nas.seeding import derive
from parts.command_line import nas

FILE = SHIPPED / "nasbench201-digits.csv.gz"
FACTS = json.loads((SHIPPED / "nasbench201-digits.json").read_text())
CARD = (SHIPPED / "nasbench201-digits.md").read_text()


@pytest.fixture(scope="module")
def space():
    return load("space", "nasbench201")()


@pytest.fixture(scope="module")
def rows() -> Mapping[str, Mapping[str, str]]:
    with gzip.open(FILE, "rt", newline="") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


def looked_up(table: Table, genotype) -> Evaluation:
    return table.evaluate(genotype, seed=0, workdir=Path(), report=lambda *_: True)


def test_every_architecture_is_there_and_isomorphs_share_a_row(space, rows):
    assert set(rows) == set(distinct_architectures(space))
    table = Table(space)
    for choices in itertools.islice(itertools.product(*map(range, space.counts)), 0, None, 37):
        genotype = space.decode(choices)
        row, found = rows[genotype.key], looked_up(table, genotype)
        assert (found.score, found.seconds) == (float(row["score"]), float(row["cost"]))
        assert found.metrics == {"params": float(row["params"]), "macs": float(row["macs"])}


def test_scores_are_means_over_seeds(rows):
    for row in rows.values():
        seeds = [float(text) for name, text in row.items() if name.startswith("score_seed")]
        assert len(seeds) == FACTS["seeds"] >= 3
        assert all(0 <= score <= 1 for score in seeds)
        assert math.isclose(float(row["score"]), fmean(seeds), rel_tol=1e-5)


def test_the_card_speaks_of_this_file(rows):
    assert FILE.stat().st_size < 1.5e6
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == FACTS["sha256"]
    assert FACTS["rows"] == len(rows) == 5_260
    assert FACTS["trained"] == FACTS["rows"] * FACTS["seeds"]
    assert FACTS["sha256"] in CARD
    for tau in (*FACTS["tau_between_seeds"].values(), *FACTS["tau_with_published"].values()):
        assert f"{tau:.3f}" in CARD


def test_sizes_are_those_of_the_networks_that_were_trained(space, rows):
    trained = load("evaluator", "train")(space, **FACTS["study"]["evaluator"]["options"])
    for row in list(rows.values())[::500]:
        genotype = space.decode(
            [decision.options.index(row[decision.name]) for decision in space.decisions]
        )
        assert trained.costs(genotype) == {
            "params": float(row["params"]),
            "macs": float(row["macs"]),
        }


def test_a_search_needs_nothing_else(tmp_path):
    words = (
        "--space",
        "nasbench201",
        "--evaluator",
        "table",
        "--strategy",
        "evolution",
        "--trials",
        "300",
        "--json",
    )
    found = nas("search", *words, "--out", tmp_path / "study").json
    assert found["best"]["score"] > FACTS["score"]["quantiles"]["95 %"]


@pytest.mark.slow
def test_training_again_gives_the_scores_again(tmp_path, space, rows):
    """To the last bit on the kind of processor that made it; within a few pictures elsewhere."""
    trained = load("evaluator", "train")(space, **FACTS["study"]["evaluator"]["options"])
    enumeration = Enumeration(space, 0)
    for number in (0, 1_000, 5_000):
        proposal = enumeration.ask(number)
        assert proposal is not None
        seed = derive(0, "trial", number)
        found = trained.evaluate(
            proposal.genotype, seed=seed, workdir=tmp_path, report=lambda *_: True
        )
        assert abs(found.score - float(rows[proposal.genotype.key]["score_seed0"])) < 0.03
