"""The way of a table of one's own: search in it, compare in it, read the report."""

import itertools
from pathlib import Path

import pytest

from nas.seeding import numpy_rng
from parts.command_line import Answer
from parts.printed_lines import commands_in, follow

NAME = "my results & <b>.csv"
TABLE = (
    *("--space", "table", "--evaluator", "table", "--table", NAME, "--decisions", "op_*"),
    *("--score", "val_acc", "--final", "test_acc", "--cost", "seconds"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with a table of 81 architectures."""
    folder = tmp_path_factory.mktemp("home")
    rng, rows = numpy_rng(0, "table"), ["op_1,op_2,op_3,op_4,val_acc,test_acc,seconds"]
    for choices in itertools.product(("conv", "pool", "skip & <b>"), repeat=4):
        good = 0.7 + 0.05 * choices.count("conv") + 0.01 * rng.normal()
        rows.append(",".join([*choices, f"{good:.4f}", f"{good - 0.01:.4f}", "12.5"]))
    (folder / NAME).write_text("\n".join(rows) + "\n")
    return folder


def well(answer: Answer) -> Answer:
    assert answer.code == 0, answer.err
    assert "Traceback" not in answer.err
    return answer


def test_search_compare_report(home: Path) -> None:
    searched = well(follow("nas search", *TABLE, "--trials", "20", "--out", "first", at=home))
    commands = commands_in(searched.out)
    assert {command.split()[1] for command in commands} == {"show", "best", "resume"}
    for command in commands:
        well(follow(command, at=home))

    words = (*TABLE, "--trials", "20", "--seeds", "5", "--processes", "1", "--out", "a duel")
    compared = well(follow("nas compare --strategies evolution", *words, at=home))
    assert (home / "a duel" / "report.html").is_file()
    for command in commands_in(compared.out):
        well(follow(command, at=home))
    page = (home / "a duel" / "report.html").read_text()
    assert "random-search" in page
    well(follow("nas report 'a duel'", at=home))
