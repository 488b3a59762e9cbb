"""NAS-Bench-101: published hashes are keys, and what is no cell is skipped at no cost."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from nas.seeding import numpy_rng
from parts.command_line import nas
from parts.pages import commands
from parts.studies import lines
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.nasbench101_hash import EDGES, OPS, hash_of
from search_spaces.nasbench101 import Nasbench101Space

SPACE = Nasbench101Space()
FOLDERS = [
    Path(os.environ.get("NAS_DATA", "nowhere")),
    Path(__file__).parents[3] / "shared" / "data",
]


def cell(edges: str, ops: tuple[int, ...] = (0, 0, 0, 0, 0)) -> Genotype:
    """A drawing of these edges, the last repeated as often as it takes."""
    names = edges.split()
    names += names[-1:] * (9 - len(names))
    return SPACE.decode([*map(EDGES.index, names), *ops])


def table() -> Path:
    found = [folder / "nasbench101.csv.gz" for folder in FOLDERS]
    there = [file for file in found if file.is_file()]
    if not there:
        pytest.skip("nasbench101.csv.gz is not here: set NAS_DATA to its folder")
    return there[0]


def rows(every: int) -> Iterator[dict[str, str]]:
    with gzip.open(table(), "rt") as file:
        yield from islice(csv.DictReader(file), 0, None, every)


def test_published_hashes_are_computed() -> None:
    """The table says of each hash which cell it is of."""
    checked = 0
    for row in rows(every=4000):
        size = int(row["n"])
        pairs = [(source, to) for source in range(size) for to in range(source + 1, size)]
        bits = f"{int(row['adj'], 16):0{len(pairs)}b}"
        place = [*range(size - 1), 6]  # the output is the seventh vertex, however few there are
        arcs = frozenset(
            (place[source], place[to])
            for (source, to), bit in zip(pairs, bits, strict=True)
            if bit == "1"
        )
        ops = [int(digit) for digit in row["ops"].ljust(5, "0")]
        assert hash_of(arcs, ops) == row["hash"]
        checked += 1
    assert checked == 106


def test_the_key_is_that_of_the_cell_not_of_its_drawing() -> None:
    chain = cell("0>1 1>6", (1, 0, 0, 0, 0))
    elsewhere = cell("0>4 4>6", (0, 0, 0, 1, 0))
    with_a_dead_end = cell("0>1 0>2 3>4 1>6", (1, 2, 0, 2, 0))

    assert len(chain.key) == 32
    assert chain.key == elsewhere.key == with_a_dead_end.key
    assert chain.key != cell("0>1 1>6", (2, 0, 0, 0, 0)).key
    assert chain.key != cell("0>1 1>6 0>6", (1, 0, 0, 0, 0)).key


def test_a_drawing_without_a_way_through_is_none() -> None:
    assert SPACE.flaw(cell("0>1 1>2 3>6")) == "no way from input to output"
    assert SPACE.flaw(cell("0>6")) is None
    rng = numpy_rng(0, "flaws")
    drawn = [SPACE.flaw(SPACE.sample(rng)) is None for _ in range(2000)]
    assert 0.75 < sum(drawn) / len(drawn) < 0.82  # 78.5 % of 20,000


def test_what_is_no_cell_is_skipped_and_costs_nothing(tmp_path: Path) -> None:
    """A table of all cells with two vertices or a chain of three; all others have no row."""
    known = {cell("0>6").key: 0.1}
    known |= {cell("0>1 1>6", (op, 0, 0, 0, 0)).key: 0.5 + op / 10 for op in range(len(OPS))}
    file = tmp_path / "small.csv"
    file.write_text("hash,score\n" + "".join(f"{key},{score}\n" for key, score in known.items()))
    begin = ["0,0,0,0,0,0,0,0,0,0,0,0,0,0", ",".join(map(str, SPACE.encode(cell("0>3 3>6"))))]

    answer = nas(
        *("search", "--space", "nasbench101", "--strategy", "random-search", "--table", file),
        *("--trials", "20", "--set", "evaluator.allow_missing=true", "--retries", "0"),
        *("--start-from", begin[0], "--start-from", begin[1], "--out", tmp_path / "s"),
    )

    assert answer.code == 0, answer.err
    events = lines(tmp_path / "s")
    skipped = [event for event in events if event["event"] == "skipped"]
    assert skipped[0]["number"] == 0  # 0>1 and nothing else
    assert {event["reason"] for event in skipped} == {"no way from input to output"}
    told = [event for event in events if event["event"] == "told"]
    assert told[0]["score"] == 0.5
    assert nas("status", tmp_path / "s", "--check", "--json").json["check"]["sound"]


def test_a_table_with_gaps_is_refused_with_the_true_number(tmp_path: Path) -> None:
    file = tmp_path / "small.csv"
    file.write_text(f"hash,score\n{cell('0>6').key},0.5\n")
    words = ("search", "--space", "nasbench101", "--table", file, "--trials", "3")

    assert "lacks 423,623 of the 423,624 architectures" in nas(*words).sentence


@pytest.mark.slow
def test_the_command_of_the_page_searches_the_published_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nasbench101.csv.gz").symlink_to(table())
    monkeypatch.chdir(tmp_path)
    (command,) = [line for line in commands("spaces.md") if "nasbench101.csv.gz" in line]

    answer = nas(*command.split()[1:], "--json")
    assert answer.json["best"]["score"] > 93.0
    assert answer.json["counts"]["evaluated"] == 300
    assert "failed" not in answer.json["counts"]
