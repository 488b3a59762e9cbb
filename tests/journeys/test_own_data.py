"""The way of a dataset of one's own, which is code: every printed line works when it is copied."""

from functools import partial
from pathlib import Path

from parts.printed_lines import commands_in, follow, the_command

MINE = """
from dataclasses import replace
from nas.training.datasets.digits import digits
mine = replace(digits, name="mine:mine")
"""
TINY = ("--set", "recipe.epochs=1", "--set", "recipe.train_images=64")
TINY += ("--set", "skeleton.filters=4", "--set", "skeleton.cells_per_stage=1")


def test_printed_lines_may_run_the_dataset_that_was_typed(tmp_path: Path) -> None:
    typed = partial(follow, at=tmp_path, apart=True)
    (tmp_path / "mine.py").write_text(MINE)
    words = ("--space", "ladder", "--strategy", "random-search", "--dataset", "mine:mine", *TINY)
    searched = typed("nas search", *words, "--trials", "1", "--to", "python", "--out", "study")
    assert searched.code == 0, searched.err
    assert {c for c in commands_in(searched.out) if "--trust" in c} == {
        "nas retrain study --trust",
        "nas resume study --trust --trials +1",
    }

    again = the_command(searched.out, "nas retrain ")
    words = ("--preset", "fit", *TINY, "--seeds", "1", "--to", "none")
    refused = follow(again.removesuffix(" --trust"), *words, at=tmp_path)
    assert "--trust" in refused.sentence
    retrained = typed(again, *words)
    assert retrained.code == 0, retrained.err
    assert "data: mine:mine: 10 classes, 64 / 400 / 400 pictures" in retrained.err
