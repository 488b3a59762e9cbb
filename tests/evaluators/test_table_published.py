"""The published tables, where they are at hand: official texts, known optima, and what does not fit
is refused."""

import os
from itertools import product
from pathlib import Path

import pytest

from nas.errors import TableError
from nas.evaluators.table import Table, table_decisions
from nas.registry import load

FOLDERS = [
    Path(os.environ.get("NAS_DATA", "nowhere")),
    Path(__file__).parents[3] / "shared" / "data",
]


def published(name):
    found = [str(folder / name) for folder in FOLDERS if (folder / name).exists()]
    if not found:
        pytest.skip(f"{name} is not here: set NAS_DATA to its folder")
    return found[0]


@pytest.fixture(scope="module")
def space():
    return load("space", "nasbench201")()


@pytest.fixture(scope="module")
def evaluator(space):
    path = published("nasbench201.csv.gz")
    return Table(
        space, table=path, score="c10_val_12", cost="0.06*c10v_time_200", final="c10_test_200"
    )


def every_choice(counts):
    return product(*map(range, counts))


def judge(evaluator, genotype):
    return evaluator.evaluate(genotype, seed=0, workdir=None, report=None)


def drawn(space, ops):
    """The genotype with these operations on edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3."""
    return space.decode(
        [decision.options.index(op) for decision, op in zip(space.decisions, ops, strict=True)]
    )


def test_the_first_architecture_has_its_published_figures(space, evaluator):
    ops = ["avg_3x3", "conv_1x1", "identity", "conv_1x1", "identity", "identity"]
    evaluation = judge(evaluator, drawn(space, ops))
    assert evaluation.score == 63.364
    assert evaluation.seconds == pytest.approx(0.06 * 1444.22)
    assert evaluation.metrics == {"params": 129306, "macs": 15647360}
    assert evaluator.final(drawn(space, ops)) == {"c10_test_200": 85.8633}


def test_the_optimum_is_the_published_one(space):
    evaluator = Table(
        space, table=published("nasbench201.csv.gz"), score="c10_val_200", final="c10_test_200"
    )
    every = [space.decode(choices) for choices in every_choice(space.counts)]
    best = max(every, key=lambda genotype: judge(evaluator, genotype).score)
    assert judge(evaluator, best).score == pytest.approx(91.607, abs=5e-4)
    assert evaluator.final(best)["c10_test_200"] == pytest.approx(94.373, abs=5e-4)


def test_digits_and_texts_name_the_same_architectures(space):
    path = published("nasbench201.csv.gz")
    texts, digits = (
        Table(space, table=path, score="c10_val_12", decisions=by) for by in (None, "ops")
    )
    for choices in list(every_choice(space.counts))[::13]:
        assert judge(texts, space.decode(choices)) == judge(digits, space.decode(choices))


def test_all_architectures_are_there(evaluator):
    assert evaluator.measured()["rows"] == 15_625


def test_texts_of_unequal_length_are_no_decisions():
    path = published("nasbench101.csv.gz")
    with pytest.raises(
        TableError,
        match=r"column 'ops' has 4 characters and row 1 has 5, but with one decision per",
    ):
        table_decisions(path, "ops")
