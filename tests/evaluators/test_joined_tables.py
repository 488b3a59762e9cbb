"""Two tables read as one: what the second says of the same architectures."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.errors import TableError
from nas.evaluators.table import Table, table_decisions
from parts.command_line import nas as command
from parts.studies import lines
from search_spaces.table import TableSpace

FIRST = "op,width,score,final\na,1,0.1,0.2\na,2,0.3,0.4\nb,1,0.5,0.6\nb,2,0.7,0.8\n"
SECOND = "width,op,phone_ms\n2,b,22\n1,b,21\n2,a,12\n1,a,11\n"


@pytest.fixture
def tables(tmp_path: Path) -> list[str]:
    (tmp_path / "first.csv").write_text(FIRST)
    (tmp_path / "second.csv").write_text(SECOND)
    return [str(tmp_path / "first.csv"), str(tmp_path / "second.csv")]


def judge(tables: list[str], **options: object) -> Table:
    space = TableSpace(decisions=table_decisions(tables, "op, width"))
    words = {"decisions": "op, width", "metrics": ["latency_ms=phone_ms"], **options}
    return Table(space, table=tables, **words)  # type: ignore[arg-type]


def test_rows_are_joined_by_what_both_tables_name(tables: list[str]) -> None:
    table = judge(tables)
    found = {}
    for choices in ((0, 0), (0, 1), (1, 0), (1, 1)):
        genotype = table.space.decode(choices)
        told = table.evaluate(genotype, seed=0, workdir=Path(), report=lambda *_: True)
        found[choices] = (told.score, told.metrics["latency_ms"], *table.final(genotype).values())
        assert table.costs(genotype) == {"latency_ms": told.metrics["latency_ms"]}
    assert found == {
        (0, 0): (0.1, 11, 0.2),
        (0, 1): (0.3, 12, 0.4),
        (1, 0): (0.5, 21, 0.6),
        (1, 1): (0.7, 22, 0.8),
    }


def test_a_change_of_the_second_table_is_seen(tables: list[str]) -> None:
    table, before = judge(tables), judge(tables).measured()
    Path(tables[1]).write_text(SECOND.replace("22", "23"))
    assert judge(tables).measured()["sha256"] != before["sha256"]
    with pytest.raises(TableError, match="has changed since it was loaded"):
        table.final(table.space.decode((0, 0)))


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ("phone_ms\n1\n", "have no column in common"),
        ("width,op,phone_ms\n1,a,11\n1,a,12\n", "rows 1 and 2 agree in op, width"),
        ("width,op,phone_ms\n1,c,11\n", "no row of .* agrees"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tables: list[str], second: str, words: str) -> None:
    Path(tables[1]).write_text(second)
    with pytest.raises(TableError, match=words):
        judge(tables)


def test_a_search_raises_the_score_against_the_latency_of_another_file(
    tables: list[str], tmp_path: Path
) -> None:
    answer = command(
        *("search", "--space", "table", "--table", tables[0], "--table", tables[1]),
        *("--decisions", "op, width", "--objectives", "score, -phone_ms", "--trials", "12"),
        *("--strategy", "random-search", "--out", tmp_path / "s"),
    )
    assert answer.code == 0, answer.err
    told = [event for event in lines(tmp_path / "s") if event["event"] == "told"]
    assert {tuple(event["objectives"]) for event in told} <= {
        (0.1, -11.0),
        (0.3, -12.0),
        (0.5, -21.0),
        (0.7, -22.0),
    }


def test_latency_is_held_by_its_flag(tables: list[str], tmp_path: Path) -> None:
    answer = command(
        *("search", "--space", "table", "--table", tables[0], "--table", tables[1]),
        *("--decisions", "op, width", "--set", 'evaluator.metrics=["latency_ms=phone_ms"]'),
        *("--max-latency-ms", "20", "--strategy", "random-search", "--trials", "12"),
        *("--out", tmp_path / "s"),
    )
    assert answer.code == 0, answer.err
    events = lines(tmp_path / "s")
    assert {event["metrics"]["latency_ms"] for event in events if event["event"] == "told"} == {
        11,
        12,
    }
    reasons = {event["reason"] for event in events if event["event"] == "skipped"}
    assert reasons == {"latency_ms 21 > 20", "latency_ms 22 > 20"}
