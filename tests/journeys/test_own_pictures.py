"""The way from a folder of pictures to a deployed network, by copying what is printed."""

import json
import shlex
from pathlib import Path

import pytest

import nas as nas_api
from parts.command_line import Answer, nas
from parts.picture_folders import ODD, odd
from parts.printed_lines import alone, follow, the_command

SMALL = ("recipe.epochs=1", "skeleton.filters=4", "skeleton.cells_per_stage=1")
TINY = tuple(word for each in SMALL for word in ("--set", each))
TINY_CHILD = tuple(word.replace("recipe", "evaluator.recipe") for word in TINY)
TINY_CHILD = tuple(word.replace("skeleton", "evaluator.skeleton") for word in TINY_CHILD)
FIRST, SECOND = "my pictures & <b>", "second ☃ folder"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder, with two folders of pictures in it."""
    folder = tmp_path_factory.mktemp("home")
    odd(folder / FIRST)
    odd(folder / SECOND, ("train", "val", "test"), count=4)
    return folder


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_DATA", str(home / "cache"))
    monkeypatch.chdir(home)


def well(answer: Answer) -> Answer:
    assert answer.code == 0, answer.err
    assert "Traceback" not in answer.err
    assert "\x1b" not in answer.out + answer.err
    return answer


def search(name: str, *, small: bool = True) -> str:
    space = "--space ladder " if small else ""
    return f"nas search {space}--dataset {shlex.quote(f'image-folder:{name}')} --trials 2"


def test_pictures_that_cannot_be_read_are_named_with_the_remedy(home: Path) -> None:
    sentence = nas(*shlex.split(search(FIRST))[1:]).sentence
    assert "torn.jpg" in sentence
    assert sentence.endswith("--skip-corrupt")
    assert not (home / "results").exists()


def test_from_own_pictures_to_a_deployed_network(home: Path) -> None:
    searched = well(follow(search(FIRST), "--skip-corrupt", *TINY, "--to", "python,json", at=home))
    for line in (
        f"data: image-folder:{FIRST}: 3 classes, 30 / 3 / 3 pictures to train / validate / test, ",
        "3 left out",
        "network: a typical child has ",
        "estimate: a trial takes ",
    ):
        assert line in searched.err, searched.err
    study = next((home / "results").iterdir())

    well(follow(the_command(searched.out, "nas show "), at=home))
    assert "  2. trial " in well(follow(the_command(searched.out, "nas best "), at=home)).out
    assert "2 of 2 trials" in well(follow(f"nas status {study}", at=home)).out

    picture = home / FIRST / ODD[0] / "no 1 & é.webp"
    said = well(alone(home / path_in(searched, "python "), picture)).out
    assert said.startswith(f"{picture}: ")
    assert set(ODD) == {words.rpartition(" ")[0].rpartition(" ")[0] for words in told(said)}
    assert well(follow(f"nas predict {study}", picture, at=home)).out == said
    whole = well(follow(f"nas predict {study}", home / FIRST, at=home)).out
    assert said in whole
    assert len(whole.splitlines()) == 39
    assert whole.count(": cannot be decoded\n") == 3

    words = (*TINY, "--seeds", "1", "--to", "python,json")
    retrained = well(follow(the_command(searched.out, "nas retrain "), *words, at=home))
    for line in ("data: ", "network: ", "estimate: an epoch takes "):
        assert line in retrained.err, retrained.err
    settings = json.loads(next(home.glob("retrained/*/retrain.json")).read_text())
    assert settings["dataset"] == f"image-folder:{FIRST}"

    onwards = the_command(retrained.out, "nas transfer ")
    second = onwards.replace("image-folder:DIR", shlex.quote(f"image-folder:{SECOND}"))
    assert "--skip-corrupt" in follow(second, *TINY, "--to", "none", at=home).sentence
    words = ("--skip-corrupt", *TINY, "--to", "python,json")
    transferred = well(follow(second, *words, at=home))
    assert "3 classes, 12 / 12 / 12 pictures" in transferred.err
    assert "9 left out" in transferred.err

    seen = the_command(transferred.out, "nas predict ").replace(
        "PICTURE", shlex.quote(str(picture))
    )
    seen_by_us = well(follow(seen, at=home)).out
    assert any(name in seen_by_us for name in ODD)
    assert well(alone(home / path_in(transferred, "python "), picture)).out == seen_by_us

    again = well(follow(the_command(searched.out, "nas resume "), "--to", "none", at=home))
    assert "finished: all 4 trials are done" in again.out


def test_an_export_is_trained_on_the_same_pictures(tmp_path: Path) -> None:
    """Also those without weights of their own, and from the weights of an export alone."""
    odd(tmp_path / "it's mine")
    words = search("it's mine"), "--skip-corrupt", *TINY, "--to", "none", "--out", "mine"
    well(follow(*words, at=tmp_path))
    exported = well(follow("nas export mine --top 2 --to json --out two", at=tmp_path))
    cards = [path.read_text() for path in (tmp_path / "two").glob("*/README.md")]
    assert ["3 classes." in card for card in cards] == [True, True]
    assert sum("it is untrained" in card for card in cards) == 1
    weights = list(nas_api.build(tmp_path / "mine").state_dict().values())
    assert len(weights[-1]) == 3
    again = the_command(exported.out, "nas retrain ")
    assert again.endswith("--skip-corrupt")
    few = (*TINY, "--seeds", "1", "--to", "python")
    retrained = well(follow(again, *few, at=tmp_path))
    assert "data: image-folder:it's mine: 3 classes, " in retrained.err
    (best,) = tmp_path.glob("retrained/*-it's mine/best")
    once_more = follow(f"nas retrain {shlex.quote(str(best))}", *few, at=tmp_path)
    assert "--skip-corrupt" in once_more.sentence
    quoted = shlex.quote(str(best / "weights.safetensors"))
    settings = well(follow(f"nas retrain {quoted} --skip-corrupt", *few, at=tmp_path))
    assert "data: image-folder:it's mine: 3 classes, " in settings.err
    judged = well(follow("nas evaluate mine", *TINY_CHILD, at=tmp_path))
    assert " on image-folder:it's mine (" in judged.out


def test_where_a_relative_folder_was_looked_for(tmp_path: Path) -> None:
    sentence = follow("nas search --dataset image-folder:gone", at=tmp_path).sentence
    assert sentence.startswith(f"gone is no folder in {tmp_path}; image-folder:DIR needs ")


def test_pictures_that_moved_serve_an_export(tmp_path: Path) -> None:
    """Eight bits are calibrated on what was trained on, without the files left out then."""
    for module in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(module)
    odd(tmp_path / "before")
    words = search("before"), "--skip-corrupt", *TINY, "--to", "none", "--out", "mine"
    well(follow(*words, at=tmp_path))
    (tmp_path / "before").rename(tmp_path / "after")
    export = "nas export mine --to onnx-int8 --tolerance 1 --out small"
    assert "before is no folder in " in follow(export, at=tmp_path).sentence
    well(follow(export, "--data-dir", "after", at=tmp_path))
    assert (tmp_path / "small" / "model.int8.onnx").is_file()


def told(line: str) -> list[str]:
    """What is said of one picture: a class and its share, each."""
    return line.strip().rpartition(": ")[2].split(", ")


def path_in(answer: Answer, beginning: str) -> str:
    """The file that a printed command runs on a picture."""
    program, file, picture = shlex.split(the_command(answer.out, beginning))
    assert (program, picture) == ("python", "PICTURE")
    return file


@pytest.mark.slow
@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_at_full_size_and_in_every_format(home: Path, name: str) -> None:
    """Nothing is made smaller but the number of epochs of the last trainings."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    out = f"a study of {name}"
    found = well(
        follow(search(name, small=False), "--skip-corrupt", "--out", out, at=home, apart=True)
    )
    assert "[[" in well(follow(the_command(found.out, "python -c"), at=home, apart=True)).out

    words = ("--set", "recipe.epochs=2", "--seeds", "2", "--out", f"{out}, retrained")
    retrained = well(follow(the_command(found.out, "nas retrain "), *words, at=home, apart=True))
    network = the_command(retrained.out, "nas transfer ").partition(" --dataset")[0]
    exported = well(follow(network.replace("transfer", "export"), at=home, apart=True))
    picture = home / FIRST / ODD[0] / "no 1 & é.webp"
    assert any(
        each in well(alone(home / path_in(exported, "python exports/"), picture)).out
        for each in ODD
    )
    assert "[[" in well(follow(the_command(exported.out, "python -c"), at=home, apart=True)).out
