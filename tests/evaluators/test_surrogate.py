"""The surrogate: what records of trainings foretell, and what it says of itself."""

from __future__ import annotations

import csv
import gzip
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from nas.cli import app
from nas.errors import TableError
from nas.evaluators._record_rows import TableRow
from nas.evaluators._surrogate_model import _families, _folds, _score_of, normal_scores
from nas.evaluators.surrogate import Surrogate
from nas.evaluators.table import SHIPPED
from nas.registry import load
from nas.seeding import numpy_rng
from nas.study.attempt import never_stop
from nas.study.kendall import mean_tau
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

NASBENCH = load("space", "nasbench201")()
NASNET = load("space", "nasnet")()
Cells = dict[str, Any]


def written(folder: Path, rows: Sequence[Cells]) -> Path:
    file = folder / "records.csv"
    with file.open("w") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file


def decisions(space: SearchSpace, genotype: Genotype) -> Cells:
    pairs = zip(space.decisions, space.encode(genotype), strict=True)
    return {decision.name: decision.options[choice] for decision, choice in pairs}


def seps(genotype: Genotype) -> int:
    nodes = [node for cell in genotype.cells.values() for node in cell.nodes]
    return sum(edge.op.startswith("sep") for node in nodes for edge in node.edges)


def drawn(count: int, seed: int = 0, space: SearchSpace = NASNET) -> list[Genotype]:
    return [space.sample(numpy_rng(seed, "records", number)) for number in range(count)]


def made_up(genotypes: Sequence[Genotype], *, noise: float = 0.0, seeds: int = 1) -> list[Cells]:
    """Records in which separable convolutions are all that matters, and take a second each."""
    rows = []
    for number, genotype in enumerate(genotypes):
        luck = noise * numpy_rng(number, "luck").standard_normal(seeds)
        scores = {f"score_seed{seed}": seps(genotype) / 20 + luck[seed] for seed in range(seeds)}
        rows.append({**decisions(NASNET, genotype), "cost": 5 + seps(genotype), **scores})
    return rows


def judged(evaluator: Surrogate, genotype: Genotype, seed: int = 0) -> Any:
    return evaluator.evaluate(genotype, seed=seed, workdir=Path(), report=never_stop)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Cells]]:
    """Three hundred records of the shipped table, and three hundred others."""
    with gzip.open(SHIPPED / "nasbench201-digits.csv.gz", "rt") as stream:
        rows = list(csv.DictReader(stream))
    some = [rows[place] for place in numpy_rng(0, "rows").permutation(len(rows))[:600].tolist()]
    return written(tmp_path_factory.mktemp("digits"), some[:300]), some[300:]


def test_records_of_real_trainings_foretell_others(digits: tuple[Path, list[Cells]]) -> None:
    file, others = digits
    evaluator = Surrogate(NASBENCH, records=str(file))
    genotypes = [
        NASBENCH.decode([d.options.index(row[d.name]) for d in NASBENCH.decisions])
        for row in others
    ]
    foretold = np.array([evaluator.final(each)["predicted_score"] for each in genotypes])
    one_seed = np.array([float(row["score_seed0"]) for row in others])
    tau = mean_tau([(foretold, one_seed)])
    assert tau.low is not None
    assert tau.low > 0.35

    said = evaluator.measured()
    assert said["rows"] == said["repeated"] == 300
    value, low, high = said["tau"]
    assert low < value < high
    assert abs(value - tau.value) < 0.15  # of 16 such splits the means were equal, 0.04 apart
    assert said["tau_of_seeds"] < said["ceiling"] < 0.7
    assert value < said["ceiling"]

    seconds = np.array([judged(evaluator, each).seconds for each in genotypes])
    real = np.array([float(row["cost"]) for row in others])
    assert np.median(np.abs(seconds / real - 1)) < 0.4


def test_a_seed_adds_what_records_with_several_seeds_show(tmp_path: Path) -> None:
    file = written(tmp_path, made_up(drawn(60), noise=0.05, seeds=3))
    evaluator = Surrogate(NASNET, records=str(file))
    (genotype,) = drawn(1, seed=7)
    scores = [judged(evaluator, genotype, seed).score for seed in range(400)]
    assert scores[3] == judged(evaluator, genotype, 3).score
    truth = evaluator.final(genotype)["predicted_score"]
    assert np.mean(scores) == pytest.approx(truth, abs=0.01)
    assert np.std(scores) == pytest.approx(0.05, rel=0.15)
    assert evaluator.measured()["seed_sd"] == pytest.approx(0.05, rel=0.15)


def test_it_learns_what_counts_and_what_it_costs(tmp_path: Path) -> None:
    evaluator = Surrogate(NASNET, records=str(written(tmp_path, made_up(drawn(150)))))
    fresh = drawn(60, seed=1)
    found = [judged(evaluator, genotype) for genotype in fresh]
    truth = np.array([float(seps(genotype)) for genotype in fresh])
    assert mean_tau([(np.array([each.score for each in found]), truth)]).value > 0.7
    seconds = np.array([each.seconds for each in found])
    assert np.median(np.abs(seconds / (5 + truth) - 1)) < 0.1
    assert "no record has two seeds, so no noise is added" in str(evaluator.measured()["worth"])
    assert found[0].score == judged(evaluator, fresh[0], seed=9).score


def test_it_says_where_its_records_end(tmp_path: Path) -> None:
    def all_of(op: str) -> Genotype:
        choices = [
            decision.options.index(op) if op in decision.options else 0
            for decision in NASNET.decisions
        ]
        genotype: Genotype = NASNET.decode(choices)
        return genotype

    evaluator = Surrogate(NASNET, records=str(written(tmp_path, made_up(drawn(100)))))
    inside = [judged(evaluator, genotype).metrics["outside"] for genotype in drawn(100, seed=2)]
    assert np.mean(inside) < 0.1
    assert judged(evaluator, all_of("sep_7x7")).metrics == {"outside": 1}

    one_op = [genotype for genotype in drawn(4_000, seed=3) if not _uses(genotype, "dil_3x3")][:30]
    few = Surrogate(NASNET, records=str(written(tmp_path, made_up(one_op))))
    unseen = next(each for each in drawn(100, seed=4) if _uses(each, "dil_3x3"))
    assert judged(few, unseen).metrics == {"outside": 1}


def _uses(genotype: Genotype, op: str) -> bool:
    nodes = [node for cell in genotype.cells.values() for node in cell.nodes]
    return any(edge.op == op for node in nodes for edge in node.edges)


def test_a_copy_and_another_process_judge_alike(tmp_path: Path) -> None:
    file = written(tmp_path, made_up(drawn(60), noise=0.05, seeds=2))
    evaluator = Surrogate(NASNET, records=str(file))
    copy = pickle.loads(pickle.dumps(evaluator))
    fresh = drawn(5, seed=1)
    scores = [judged(evaluator, genotype, 3).score for genotype in fresh]
    assert [judged(copy, genotype, 3).score for genotype in fresh] == scores
    program = (
        "import sys, json; from pathlib import Path; from nas.registry import load\n"
        "from nas.evaluators.surrogate import Surrogate\n"
        "from nas.seeding import numpy_rng\n"
        "space = load('space', 'nasnet')()\n"
        "judge = Surrogate(space, records=sys.argv[1])\n"
        "fresh = [space.sample(numpy_rng(1, 'records', number)) for number in range(5)]\n"
        "print(json.dumps([judge.evaluate(g, seed=3, workdir=Path(), report=None).score"
        " for g in fresh]))"
    )
    threads = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    words = [sys.executable, "-c", program, str(file)]
    answer = subprocess.run(words, env=threads, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == scores


def test_neighbours_are_foreseen_by_strangers_only() -> None:
    def row(genotype: Genotype, origin: str | None) -> TableRow:
        return TableRow(genotype, (0.0,), 1.0, {}, (), origin)

    first, second, third, *others = drawn(20)
    rows = [row(first, None), row(second, first.key), row(third, second.key)]
    rows += [row(other, None) for other in others]
    families = _families(rows)
    assert families[:3] == [first.key] * 3
    assert len(set(families)) == 18
    folds = _folds(families)
    assert len(set(folds[:3])) == 1
    assert set(folds.tolist()) == set(range(5))


def test_scores_go_on_beyond_the_records_but_not_far() -> None:
    scores = np.array([0.1, 0.5, 0.5, 0.6, 0.7])
    targets = normal_scores(scores)
    assert targets[1] == targets[2]
    places, first = np.unique(targets, return_index=True)
    quantiles = places, scores[first]
    for place, score in zip(targets, scores, strict=True):
        assert _score_of(float(place), quantiles) == pytest.approx(score)
    steps = [_score_of(place, quantiles) for place in np.linspace(-3, 3, 50).tolist()]
    assert steps == sorted(steps)
    assert 0.1 > steps[0] > 0.1 - (0.5 - 0.1) / 2
    assert 0.7 < steps[-1] < 0.7 + (0.7 - 0.6) / 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda rows: rows[:19], "has 19 records that are no neighbour of another: expected 20"),
        (lambda rows: [{"key": "0", "score_seed0": 1}], "has no column 'normal.0.input_a'"),
        (lambda rows: [{**row, "score_seed0": ""} for row in rows], "row 1: no seed has a score"),
        (lambda rows: [*rows[:9], {**rows[9], "cost": "-1"}], "row 10: the cost is -1; expected 0"),
        (
            lambda rows: [rows[0], {**rows[1], "score_seed0": "good"}],
            "row 2: column 'score_seed0' holds 'good'; expected a number",
        ),
        (
            lambda rows: [{**rows[0], "normal.0.op_a": "magic"}],
            "row 1: column 'normal.0.op_a' holds 'magic'; expected one of identity",
        ),
        (
            lambda rows: [{k: v for k, v in row.items() if k != "score_seed0"} for row in rows],
            "has no column 'score_seed0': expected a file that `nas tabulate` wrote",
        ),
    ],
)
def test_what_are_no_records_is_refused(tmp_path: Path, change: Any, sentence: str) -> None:
    file = written(tmp_path, change(made_up(drawn(25))))
    with pytest.raises(TableError, match=sentence):
        Surrogate(NASNET, records=str(file))


def test_without_records_it_says_how_to_make_some() -> None:
    with pytest.raises(TableError, match=r"`nas tabulate --space darts --sample 300 --repeated 40"):
        Surrogate(load("space", "darts")())


def test_equal_scores_teach_nothing_and_break_nothing(tmp_path: Path) -> None:
    rows = [{**row, "score_seed0": 0.5} for row in made_up(drawn(25))]
    evaluator = Surrogate(NASNET, records=str(written(tmp_path, rows)))
    assert judged(evaluator, drawn(1, seed=1)[0]).score == 0.5
    assert evaluator.measured()["tau"] == [0.0, None, None]


def test_a_comparison_tells_what_its_judge_is_worth(tmp_path: Path) -> None:
    file = written(tmp_path, made_up(drawn(60), noise=0.1, seeds=2))
    words = f"compare --space nasnet --evaluator surrogate --set evaluator.records={file}"
    words += f" --strategies local-search --trials 8 --seeds 2 --processes 1 --out {tmp_path / 'c'}"
    answer = CliRunner().invoke(app, words.split())
    assert answer.exit_code == 0, answer.output
    report = (tmp_path / "c" / "report.md").read_text()
    assert "surrogate: predictions have a tau of" in report
    assert r"predicted\_score" in report

    study = json.loads((tmp_path / "c" / "local-search" / "seed-1" / "study.json").read_text())
    assert study["measured"]["rows"] == 60
    assert len(study["measured"]["sha256"]) == 64
    file.write_text(file.read_text().rstrip() + "1\n")
    again = CliRunner().invoke(app, words.replace("--trials 8", "--trials 9").split())
    assert "has changed" in str(again.exception)


def test_a_sample_is_no_table_and_says_what_to_do_with_it(tmp_path: Path) -> None:
    rows = made_up(drawn(25))
    file = written(tmp_path, [{**row, "score": row["score_seed0"]} for row in rows])
    search = ["search", "--space", "nasnet", "--trials", "2", "--out", str(tmp_path / "s")]
    said = CliRunner().invoke(app, [*search, "--table", str(file)])
    assert isinstance(said.exception, TableError)
    sentence = str(said.exception)
    assert "holds 25 of the 5.2e+36 architectures of space 'nasnet', a sample" in sentence
    words = sentence.partition("`")[2].partition("`")[0].split()
    done = CliRunner().invoke(app, [*search, *words])
    assert done.exit_code == 0, done.output
