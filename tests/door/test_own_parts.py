"""Parts of one's own, from a folder outside the package: the files and commands of
docs/own-parts.md, and one part of every kind on the whole way from search to exported file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parts import pages

PAGE = "own-parts.md"
CELL = {
    "name": "mine",
    "genotype": {
        "schema": 1,
        "space": "my-space",
        "cells": {
            role: {
                "nodes": [
                    {"edges": [[0, "gated_3x3"], [1, "sep_3x3"]], "combine": "add"},
                    {"edges": [[1, "max_3x3"], [2, "gated_3x3"]], "combine": "add"},
                ]
            }
            for role in ("normal", "reduction")
        },
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pages.write_files(PAGE, tmp_path)
    return tmp_path


def said(command: str, folder: Path) -> str:
    answer = pages.run(command, folder)
    assert answer.returncode == 0, f"{command}: {answer.stderr}"
    assert "Traceback" not in answer.stderr
    return answer.stdout


def runnable() -> list[str]:
    return [line for line in pages.commands(PAGE) if "--runner ray" not in line]


def test_the_page_shows_a_file_for_every_kind_and_a_command_for_each(tmp_path: Path) -> None:
    kinds = ("space", "strategy", "evaluator", "dataset", "format", "runner")
    files = pages.write_files(PAGE, tmp_path)
    assert files == [*(f"my_{kind}.py" for kind in kinds), "test_my_parts.py"]
    for kind in kinds:
        assert any(f"my_{kind}" in line for line in pages.commands(PAGE))


@pytest.mark.slow
def test_every_line_of_the_page_runs_in_its_order_and_what_it_says_to_run_next(
    folder: Path,
) -> None:
    printed = {line: said(line, folder) for line in (*runnable(), "python test_my_parts.py")}
    (trained,) = [out for line, out in printed.items() if "--out results/stripes" in line]
    following = trained.partition("next:\n")[2].splitlines()
    assert len(following) == 4
    for line in following:
        said(line.strip() + " --seeds 1" * (" retrain " in line), folder)


@pytest.mark.ray
def test_the_line_of_the_page_for_ray_runs(folder: Path) -> None:
    (line,) = [line for line in pages.commands(PAGE) if "--runner ray" in line]
    assert "finished: all 2 trials are done (2 evaluated)" in said(line, folder)
    assert "along rows" in said("python results/ray/best/model.py", folder)


def test_one_part_of_every_kind_goes_the_whole_way(folder: Path) -> None:
    """Space, op, published cell, strategy, dataset with classes and presets, format, runner."""
    (folder / "my_cell.json").write_text(json.dumps(CELL))
    out = said(
        "nas search --space ./my_space.py:MySpace --strategy my_strategy:Climber "
        "--dataset my_dataset:stripes --runner my_runner:Polite --start-from my_cell.json "
        "--set recipe.epochs=1 --trials 2 --to python,my_format:shapes --out all",
        folder,
    )
    assert "exported and verified: all/best (model.py, weights.safetensors, model.txt" in out

    answer = pages.run("nas status all", folder)
    assert answer.returncode == 2
    assert "no op is called 'gated_3x3'; there are " in answer.stderr
    assert "nas --import my_file.py ..." in answer.stderr
    assert "2 of 2 trials" in said("nas --import my_space.py status all --trust", folder)

    assert "  nas --import my_space show all/best/genotype.json\n" in out
    assert "  nas --import my_space retrain all --trust\n" in out

    said("nas --import my_space export my_cell.json --to json --out drawn", folder)
    study = json.loads((folder / "all" / "study.json").read_text())
    assert study["space"]["name"] == "my_space:MySpace"
    first = json.loads((folder / "all" / "events.jsonl").read_text().splitlines()[1])
    assert first["genotype"] == CELL["genotype"]

    for line in (
        "It has\noperations that the package has not (gated_3x3): give the file that registers "
        "them before the verb",
        "`nas --import my_file.py show genotype.json`",
    ):
        assert line in (folder / "drawn" / "README.md").read_text()

    said("nas --import ./my_space.py export all --to python --out away", folder)
    text = (folder / "away" / "model.py").read_text()
    assert 'NAMES: tuple[str, ...] = ("along rows", "along columns", "both ways",)' in text
    alone = folder / "elsewhere"
    alone.mkdir()
    for name in ("model.py", "weights.safetensors"):
        (folder / "away" / name).rename(alone / name)
    assert "along rows" in said("python model.py", alone)


def test_an_op_of_a_file_that_was_not_imported_gets_a_sentence(folder: Path) -> None:
    (folder / "my_cell.json").write_text(json.dumps(CELL))
    answer = pages.run("nas show my_cell.json", folder)
    assert answer.returncode == 2
    assert "no op is called 'gated_3x3'; there are " in answer.stderr
    assert "known once its file is imported: nas --import my_file.py ..." in answer.stderr
    assert "gated_3x3" in said("nas --import my_space.py list ops", folder).split()
    answer = pages.run("nas --import my_spice.py list ops", folder)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("error: there is no file 'my_spice.py'")
