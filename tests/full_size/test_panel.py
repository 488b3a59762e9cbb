"""A panel of cells on other data: widths that cost alike, scores beside accuracies, and what a file
of cells may hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas.errors import NasError
from nas.full_size.panel import members_of, panel_text
from nas.full_size.report import Row
from parts.command_line import nas
from search_spaces.cells.genotype import Genotype

BARE = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"


def cell(op: str) -> dict[str, object]:
    words = {"skip": "skip_connect", "avg_3x3": "avg_pool_3x3"}
    name = words.get(op, f"nor_{op}")
    text = f"|{name}~0|+|{name}~0|none~1|+|{name}~0|none~1|nor_conv_1x1~2|"
    answer = nas("convert", text, "--to", "json")
    assert answer.code == 0, answer.err
    found: dict[str, object] = json.loads(answer.out)
    return found


def test_a_panel_is_trained_at_equal_cost_and_told_together(tmp_path: Path) -> None:
    file = tmp_path / "cells.jsonl"
    lines = [
        json.dumps({"name": "one", "genotype": cell("conv_1x1"), "score": 0.5}),
        json.dumps(cell("skip")),
        "",
        json.dumps({"genotype": BARE, "score": 1}),
        json.dumps({"name": "three", "genotype": cell("avg_3x3"), "score": 0.25}),
    ]
    file.write_text("\n".join(lines) + "\n")
    words = ("transfer", json.dumps(cell("conv_3x3")), "--dataset", "noise:8", "--cells", file)
    quick = ("--set", "recipe.epochs=1", "--set", "recipe.train_images=40", "--to", "none")
    small = ("--set", "skeleton.cells_per_stage=1", "--set", "skeleton.filters=8")
    out = ("--device", "cpu", "--out", tmp_path / "panel", "--controls", "resnet")
    answer = nas(*words, *quick, *small, *out, "--json")
    arms = {row["name"]: row for row in answer.json["arms"]}

    assert list(arms) == ["searched", "one", "cell-2", "cell-4", "three", "resnet"]
    assert [row["score"] for row in arms.values()] == [None, 0.5, None, 1, 0.25, None]
    limit = arms["searched"]["macs"]
    assert all(0.7 * limit < row["macs"] <= limit for row in arms.values())
    text = (tmp_path / "panel" / "README.md").read_text()
    assert "| one | 0.5 | " in text
    assert "of 4 cells; drawn as they were" in text
    assert "Multiply-adds of the cells are within " in text
    assert "Kendall's tau between the scores where they were searched and test top-1 here" in text
    assert "too few for an interval, which wants 10), 3 cells." in text


def test_arms_agree_within_so_many_per_cent_where_this_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "cells.jsonl"
    file.write_text(nas("sample", "nasnet", "--valid", "-n", 3).out)
    words = ("transfer", "nasnet-a", "--dataset", "noise:8", "--cells", file)
    quick = ("--set", "recipe.epochs=1", "--set", "recipe.train_images=40", "--to", "none")
    small = ("--set", "skeleton.cells_per_stage=1", "--device", "cpu", "--json")

    def spent(*more: object) -> dict[str, int]:
        answer = nas(*words, *quick, *small, "--out", tmp_path / f"out-{len(more)}", *more)
        assert answer.code == 0, answer.err
        return {row["name"]: row["macs"] for row in answer.json["arms"]}

    plain = spent("--target-macs", 500_000)
    assert min(plain.values()) < 0.9 * 500_000  # whole filters leave more over than asked for below
    asked = ("--target-macs", 500_000, "--within", 3)
    close = spent(*asked, "--controls", "random-cell")
    assert all(0.97 * 500_000 <= macs <= 500_000 for macs in close.values()), close
    assert len(close) == 5

    refused = nas(*words, *quick, *small, *asked, "--controls", "resnet", "--out", tmp_path / "no")
    assert refused.code != 0
    assert (
        "none is within 3 % below 500,000; ask for one of these with --target-macs" in refused.err
    )


def row(name: str, accuracy: float, score: float | None = None, macs: int = 100) -> Row:
    return Row(name, "", 1, macs, 1, {"top_1_mean": accuracy, "top_1_sd": None}, score)


def test_the_rank_test_counts_ties_against_the_winner() -> None:
    panel = [row("searched", 0.5), *(row(f"c{n}", n / 10) for n in range(8)), row("resnet", 0.9)]
    first, spread = panel_text(panel, [f"c{n}" for n in range(8)])
    assert first.startswith("searched is ahead of 5 of 8 cells; ")
    assert "with probability 0.44 (rank test)." in first  # (3 + 1) / (8 + 1)
    assert spread == "Multiply-adds of the cells are within 0.0 %."
    assert list(panel_text(panel, [])) == []


def test_scores_that_rank_alike_have_a_tau_of_one_and_reversed_ones_minus_one() -> None:
    for sign, told in ((1, "1.00 (1.00 to 1.00)"), (-1, "-1.00 (-1.00 to -1.00)")):
        panel = [row(f"c{n}", sign * n / 20, n / 20) for n in range(12)]
        *_, last = panel_text(panel, [each.name for each in panel[1:]])
        assert last.endswith(f"test top-1 here is {told}, 12 cells.")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "names no cell; write a genotype into each of its lines"),
        ("nasnet-a\nno-such-cell\n", "line 2: "),
        (
            '{"genotype": "nasnet-a", "name": "../x"}',
            "line 1: '../x' is no name: expected up to 60",
        ),
        ('{"genotype": "nasnet-a", "name": "searched"}', "line 1: 'searched' is no name"),
        (
            '{"genotype": "nasnet-a", "score": "high"}',
            "line 1: 'high' is no score: expected a number",
        ),
        (
            '{"genotype": "nasnet-a", "name": "a"}\n' * 2,
            "line 2: a cell before it is called 'a' too",
        ),
        ("[" * 10_000, "line 1: "),
    ],
)
def test_a_file_that_is_no_panel_is_refused_with_its_line(
    content: str, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "cells.jsonl"
    file.write_text(content)
    with pytest.raises(NasError) as problem:
        members_of(file)
    assert str(problem.value).startswith(str(file))
    assert words in str(problem.value)


def test_what_nas_sample_prints_is_a_panel(tmp_path: Path) -> None:
    file = tmp_path / "cells.jsonl"
    file.write_text(nas("sample", "nasbench201", "-n", "3").out)
    members = members_of(file)
    assert [member.name for member in members] == ["cell-1", "cell-2", "cell-3"]
    assert all(isinstance(member.choice.genotype, Genotype) for member in members)
    assert {member.score for member in members} == {None}
