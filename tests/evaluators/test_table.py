"""A table judges: scores, costs, finals and metrics come from the right rows of any kind of
file."""

import csv
import gzip
import itertools
import math
import pickle
import struct

import numpy as np
import pytest

from nas.errors import SpaceError, TableError
from nas.evaluators import table as table_module
from nas.evaluators.table import Table, table_decisions
from nas.registry import load
from search_spaces.cells.nasbench201_text import to_nasbench201_string
from search_spaces.table import TableSpace

COLUMNS = ["d_op", "d_width", "acc", "seconds", "params", "macs", "test"]
ROWS = [
    [op, width, 0.5 + 0.01 * row, 10 * row, 1000 + row, 2000.5 + row, 0.987654321 - 0.001 * row]
    for row, (op, width) in enumerate(itertools.product(["conv", "pool"], [8, 16, 128]))
]


def write(path, columns, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def judge(evaluator, genotype):
    return evaluator.evaluate(genotype, seed=0, workdir=None, report=None)


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "trained.csv", COLUMNS, ROWS)


@pytest.fixture
def space(path):
    return TableSpace(decisions=table_decisions(path, "d_*"))


def test_options_are_texts_in_numerical_or_alphabetical_order(path):
    assert table_decisions(path, "d_*") == {"d_op": ("conv", "pool"), "d_width": ("8", "16", "128")}


def test_decision_columns_may_be_named_one_by_one(path):
    assert list(table_decisions(path, "d_width, d_op")) == ["d_op", "d_width"]


def test_every_architecture_gets_its_own_row(path, space):
    evaluator = Table(
        space, table=str(path), score="acc", cost="seconds", final="test", decisions="d_*"
    )
    for number, row in enumerate(ROWS):
        genotype = space.decode([number // 3, number % 3])
        evaluation = judge(evaluator, genotype)
        assert (evaluation.score, evaluation.seconds) == (row[2], row[3])
        assert evaluation.metrics == {"params": row[4], "macs": row[5]}
        assert evaluator.final(genotype) == {"test": row[6]}


def test_rows_may_come_in_any_order(tmp_path, path, space):
    shuffled = write(tmp_path / "shuffled.csv", COLUMNS, ROWS[::-1])
    one, other = (
        Table(space, table=str(file), score="acc", final="test") for file in (path, shuffled)
    )
    for choices in itertools.product(range(2), range(3)):
        genotype = space.decode(choices)
        assert judge(one, genotype) == judge(other, genotype)
        assert one.final(genotype) == other.final(genotype)


def test_score_cost_and_final_are_expressions(path, space):
    evaluator = Table(
        space,
        table=str(path),
        score="acc - params / 1e6",
        cost="0.06 * seconds",
        final="100 * test",
    )
    evaluation = judge(evaluator, space.decode([1, 2]))
    assert evaluation.score == pytest.approx(0.55 - 1005 / 1e6, rel=1e-15)
    assert evaluation.seconds == pytest.approx(3.0, rel=1e-15)
    assert evaluator.final(space.decode([1, 2])) == {
        "100 * test": pytest.approx(98.2654321, rel=1e-15)
    }


def test_columns_called_score_cost_and_final_need_no_option(tmp_path):
    file = write(
        tmp_path / "own.csv", ["d", "score", "cost", "final"], [["a", 1, 2, 3], ["b", 4, 5, 6]]
    )
    space = TableSpace(decisions=table_decisions(file, "d*"))
    evaluator = Table(space, table=str(file))
    evaluation = judge(evaluator, space.decode([1]))
    assert (evaluation.score, evaluation.seconds, dict(evaluation.metrics)) == (4, 5, {})
    assert evaluator.final(space.decode([1])) == {"final": 6}


def test_without_cost_and_final_there_is_none(path, space):
    evaluator = Table(space, table=str(path), score="acc")
    assert judge(evaluator, space.decode([0, 1])).seconds == 0
    assert evaluator.final(space.decode([0, 1])) == {}


def test_metrics_are_chosen_and_empty_ones_left_out(tmp_path, space):
    rows = [[*row[:5], "", row[6]] if row is ROWS[0] else row for row in ROWS]
    file = write(tmp_path / "gap.csv", COLUMNS, rows)
    evaluator = Table(space, table=str(file), score="acc", metrics=["macs", "seconds"])
    assert judge(evaluator, space.decode([0, 0])).metrics == {"seconds": 0}
    assert judge(evaluator, space.decode([0, 1])).metrics == {"macs": 2001.5, "seconds": 10}


def test_a_pickled_evaluator_is_light_judges_alike_and_holds_nothing_final(path, space):
    evaluator = Table(space, table=str(path), score="acc", cost="seconds", final="test")
    written = pickle.dumps(evaluator)
    assert len(written) < 4_000
    assert all(struct.pack("=d", row[2]) in written for row in ROWS)
    assert not any(struct.pack("=d", row[6]) in written for row in ROWS)
    assert not any(str(row[6]).encode() in written for row in ROWS)
    copy = pickle.loads(written)
    genotype = space.decode([1, 1])
    assert judge(copy, genotype) == judge(evaluator, genotype)
    assert copy.final(genotype) == {"test": ROWS[4][6]}


def test_the_final_is_read_from_the_file_only_when_it_is_asked_for(tmp_path, path, space):
    evaluator = Table(space, table=str(path), score="acc", final="test")
    path.unlink()
    assert judge(evaluator, space.decode([0, 0])).score == 0.5
    with pytest.raises(TableError, match="there is no table"):
        evaluator.final(space.decode([0, 0]))


def test_the_final_of_a_changed_file_is_refused(path, space):
    evaluator = Table(space, table=str(path), score="acc", final="test")
    write(path, COLUMNS, ROWS[::-1])
    with pytest.raises(TableError, match="has changed since it was loaded"):
        evaluator.final(space.decode([0, 0]))


def test_finals_of_many_winners_and_of_two_tables_at_once(tmp_path, path, space):
    other = write(tmp_path / "other.csv", COLUMNS, [[*row[:6], 2 * row[6]] for row in ROWS])
    one, two = (Table(space, table=str(file), score="acc", final="test") for file in (path, other))
    for number, row in enumerate(ROWS):
        genotype = space.decode([number // 3, number % 3])
        assert one.final(genotype) == {"test": row[6]}
        assert two.final(genotype) == {"test": 2 * row[6]}


def test_costs_are_known_before_an_evaluation(tmp_path, space):
    rows = [[*row[:5], "", row[6]] if row is ROWS[0] else row for row in ROWS[:-1]]
    file = write(tmp_path / "part.csv", COLUMNS, rows)
    evaluator = Table(space, table=str(file), score="acc", final="test", allow_missing=True)
    assert evaluator.costs(space.decode([0, 1])) == {"params": 1001, "macs": 2001.5}
    gap, missing = (evaluator.costs(space.decode(choices)) for choices in ([0, 0], [1, 2]))
    assert gap["params"] == 1000
    assert math.isnan(gap["macs"])
    assert list(map(math.isnan, missing.values())) == [True, True]


def test_the_final_is_found_from_another_folder(path, space, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    evaluator = Table(space, table="trained.csv", score="acc", final="test")
    monkeypatch.chdir(tmp_path.parent)
    assert evaluator.final(space.decode([0, 0])) == {"test": ROWS[0][6]}


def test_measured_names_the_content(tmp_path, path, space):
    measured = Table(space, table=str(path), score="acc", cost="seconds", final="test").measured()
    assert (measured["file"], measured["rows"]) == ("trained.csv", 6)
    assert measured["columns"] == ["acc", "d_op", "d_width", "macs", "params", "seconds"]
    other = write(tmp_path / "other.csv", COLUMNS, ROWS)
    assert Table(space, table=str(other), score="acc").measured()["sha256"] == measured["sha256"]
    write(other, COLUMNS, ROWS[::-1])
    assert Table(space, table=str(other), score="acc").measured()["sha256"] != measured["sha256"]


def test_gzip_byte_order_mark_windows_lines_and_blank_lines_are_read(path, space, tmp_path):
    text = "\ufeff" + path.read_text() + "\r\n\r\n"
    file = tmp_path / "table.bin"
    file.write_bytes(gzip.compress(text.encode()))
    assert (
        judge(Table(space, table=str(file), score="acc"), space.decode([1, 2])).score == ROWS[5][2]
    )


def test_parquet_is_read(space, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "table.parquet"
    parquet.write_table(
        pyarrow.table(dict(zip(COLUMNS, map(list, zip(*ROWS, strict=True)), strict=True))), file
    )
    assert table_decisions(file, "d_*") == {"d_op": ("conv", "pool"), "d_width": ("8", "16", "128")}
    evaluator = Table(space, table=str(file), score="acc", final="test")
    assert judge(evaluator, space.decode([0, 2])).metrics == {"params": 1002, "macs": 2002.5}
    assert evaluator.final(space.decode([0, 2])) == {"test": ROWS[2][6]}


def test_a_character_per_decision(tmp_path):
    rows = [[f"{a}{b}", 10 * a + b] for a in range(2) for b in range(3)]
    file = write(tmp_path / "text.csv", ["ops", "acc"], rows)
    space = TableSpace(decisions=table_decisions(file, "ops"))
    assert {decision.name: decision.options for decision in space.decisions} == {
        "ops.0": ("0", "1"),
        "ops.1": ("0", "1", "2"),
    }
    evaluator = Table(space, table=str(file), score="acc", decisions="ops")
    assert judge(evaluator, space.decode([1, 2])).score == 12


def test_an_incomplete_table_is_searched_where_it_is_allowed(tmp_path, space):
    rows = [[*row[:2], "", *row[3:]] if row is ROWS[1] else row for row in ROWS[:-1]]
    file = write(tmp_path / "part.csv", COLUMNS, rows)
    evaluator = Table(
        space, table=str(file), score="2 * acc", cost="seconds", final="test", allow_missing=True
    )
    assert judge(evaluator, space.decode([1, 1])).score == 2 * ROWS[4][2]
    for choices, words in (([0, 1], "d_op=conv, d_width=16"), ([1, 2], "d_op=pool, d_width=128")):
        with pytest.raises(
            SpaceError, match=f"part.csv' has no score for {words}; add a row for it"
        ):
            judge(evaluator, space.decode(choices))


def test_spaces_beyond_64_bits_are_searched_in_part(tmp_path):
    names = [f"d_{number}" for number in range(40)]
    rows = [[(row + place) % 5 for place in range(40)] + [row] for row in range(5)]
    file = write(tmp_path / "wide.csv", [*names, "acc"], rows)
    space = TableSpace(decisions=table_decisions(file, "d_*"))
    assert space.size > 2**64
    evaluator = Table(space, table=str(file), score="acc", allow_missing=True)
    for row in range(5):
        assert judge(evaluator, space.decode(rows[row][:-1])).score == row
    with pytest.raises(SpaceError, match=r"d_11=0, \.\.\.; add a row"):
        judge(evaluator, space.decode([0] * 40))


def _one_row_per_key(space, path):
    genotypes = {}
    for choices in itertools.product(*map(range, space.counts)):
        genotype = space.decode(choices)
        genotypes.setdefault(genotype.key, genotype)
    return write(
        path, ["key", "acc", "test"], [[key, row, -row] for row, key in enumerate(genotypes)]
    ), genotypes


def test_architectures_with_one_key_share_a_row(tmp_path):
    space = load("space", "ladder")()
    file, genotypes = _one_row_per_key(space, tmp_path / "keys.csv")
    evaluator = Table(space, table=str(file), score="acc", final="test")
    for row, genotype in enumerate(genotypes.values()):
        assert judge(evaluator, genotype).score == row
        assert evaluator.final(genotype) == {"test": -row}
    for choices in itertools.product(*map(range, space.counts)):
        genotype = space.decode(choices)
        assert list(genotypes)[int(judge(evaluator, genotype).score)] == genotype.key


def test_a_space_too_large_to_list_is_looked_up_by_key(tmp_path):
    space = load("space", "nasnet")()
    genotypes = [space.decode([choice] * 50) for choice in (0, 1)]
    file = write(tmp_path / "keys.csv", ["key", "acc"], [[genotypes[0].key, 7]])
    evaluator = pickle.loads(
        pickle.dumps(Table(space, table=str(file), score="acc", allow_missing=True))
    )
    assert judge(evaluator, genotypes[0]).score == 7
    with pytest.raises(SpaceError, match=r"no score for normal\.0\.input_a=1"):
        judge(evaluator, genotypes[1])


def test_genotypes_may_stand_in_a_column(tmp_path):
    space = load("space", "ladder")()
    genotypes = [space.decode(choices) for choices in itertools.product(*map(range, space.counts))]
    rows = [[genotype.to_json(), row] for row, genotype in enumerate(genotypes)]
    evaluator = Table(
        space, table=str(write(tmp_path / "json.csv", ["genotype", "acc"], rows)), score="acc"
    )
    assert [judge(evaluator, genotype).score for genotype in genotypes] == list(
        range(len(genotypes))
    )


def test_decision_columns_are_found_by_name(tmp_path):
    space = load("space", "ladder")()
    every = list(itertools.product(*map(range, space.counts)))
    options = [decision.options for decision in space.decisions]
    rows = [
        [*(names[choice] for names, choice in zip(options, choices, strict=True)), sum(choices)]
        for choices in every
    ]
    columns = [*(decision.name for decision in space.decisions), "acc"]
    evaluator = Table(space, table=str(write(tmp_path / "named.csv", columns, rows)), score="acc")
    assert [judge(evaluator, space.decode(choices)).score for choices in every] == list(
        map(sum, every)
    )


def test_a_table_that_comes_with_the_package_needs_no_option(tmp_path, space, monkeypatch):
    monkeypatch.setattr(table_module, "SHIPPED", tmp_path)
    with pytest.raises(
        TableError, match="no table of space 'table' comes with the package; say which one to read"
    ):
        Table(space)
    columns = ["score" if column == "acc" else column for column in COLUMNS]
    first = write(tmp_path / "first.csv", columns, ROWS).read_bytes()
    (tmp_path / "table-first.csv.gz").write_bytes(gzip.compress(first))
    assert judge(Table(space), space.decode([1, 2])).score == ROWS[5][2]
    assert judge(Table(space, table="table-first"), space.decode([1, 2])).score == ROWS[5][2]
    (tmp_path / "table-second.csv.gz").write_bytes(gzip.compress(first))
    with pytest.raises(
        TableError, match=r"several tables .* come with the package \(table-first, table-second\)"
    ):
        Table(space)


@pytest.mark.parametrize("decisions", [None, "architecture"])
def test_official_texts_are_keys_in_any_column_and_seeds_are_averaged(tmp_path, decisions):
    space = load("space", "nasbench201")()
    rng = np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(4)]
    rows = [[1, to_nasbench201_string(each), 70 + i, 80 + i] for i, each in enumerate(drawn)]
    file = write(tmp_path / "theirs.csv", ["id", "architecture", "acc_777", "acc_888"], rows)

    evaluator = Table(
        space,
        table=str(file),
        score="mean(acc_777, acc_888)",
        decisions=decisions,
        allow_missing=True,
    )
    assert [judge(evaluator, each).score for each in drawn] == [75, 76, 77, 78]
