"""`nas search` alone, then the commands that it prints."""

from pathlib import Path

import pytest
from PIL import Image

from parts.command_line import Answer
from parts.printed_lines import alone, commands_in, follow, the_command

TINY = ("--set", "recipe.epochs=1", "--set", "recipe.train_images=64")
TINY += ("--set", "skeleton.filters=4", "--set", "skeleton.cells_per_stage=1")


def well(answer: Answer) -> Answer:
    assert answer.code == 0, answer.err
    assert "Traceback" not in answer.err
    return answer


def test_search_retrain_export(tmp_path: Path) -> None:
    searched = well(follow("nas search --trials 1 --to python", *TINY, at=tmp_path))
    assert "estimate: a trial takes " in searched.err
    assert " s a trial" in searched.err or " trials/s" in searched.err
    again = the_command(searched.out, "nas retrain ")
    retrained = well(follow(again, *TINY, "--seeds", "1", "--to", "python", at=tmp_path))
    network = the_command(retrained.out, "nas transfer ").split(" --dataset")[0]
    exported = well(
        follow(network.replace("transfer", "export"), "--to", "python,svg", at=tmp_path)
    )
    line = the_command(exported.out, "python ")
    assert "parameters" in well(alone(tmp_path / line.split()[1])).out


@pytest.mark.slow
def test_at_its_own_size(tmp_path: Path) -> None:
    """Exactly as it is printed; only the retraining is cut short."""
    searched = well(follow("nas search", at=tmp_path, apart=True))
    for command in commands_in(searched.out):
        if command.startswith("nas retrain "):
            well(follow(command, "--set", "recipe.epochs=2", at=tmp_path, apart=True))
        elif command.startswith("nas resume "):
            assert command.endswith("--trials +20")
        else:
            well(follow(command.replace(" PICTURE", ""), at=tmp_path))
    assert list(tmp_path.glob("retrained/*/best/model.py"))


def test_compare_best_predict_retrain(tmp_path: Path) -> None:
    """What a comparison prints at its end brings its winner into one's hands."""
    words = "nas compare --strategies random-search --seeds 2 --trials 1 --space ladder --out all"
    compared = well(follow(words, *TINY[:4], at=tmp_path))
    named = well(follow(the_command(compared.out, "nas best "), at=tmp_path))
    assert "1. random-search/seed-" in named.out
    assert "2. random-search/seed-" in named.out
    again = the_command(compared.out, "nas retrain ")
    trained = well(follow(again, *TINY[:4], "--seeds", "1", "--to", "python", at=tmp_path))
    assert "digits" in trained.out + trained.err
    Image.new("L", (8, 8)).save(tmp_path / "picture.png")
    assert "%" in well(follow("nas predict all picture.png", at=tmp_path)).out
