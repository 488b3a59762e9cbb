"""The winner in `best/` after a trained search: verified files, renewed with the winner, never a
reason to fail."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors.torch import save_file

from nas.cli._exporting import winner_told
from nas.exporting import winner
from nas.exporting.choosing import choices, subject_of
from nas.exporting.export import export
from nas.registry import load
from nas.search.record import RECORD_FILE, Record, clear, read_record
from nas.training.checkpoint import read_weights
from parts.command_line import SMALL, nas
from parts.studies import lines

TRAINED = (
    "search",
    "--space",
    "ladder",
    "--strategy",
    "random-search",
    "--dataset",
    "noise",
    "--device",
    "cpu",
    "--set",
    "recipe.epochs=1",
    "--set",
    "recipe.train_images=32",
    "--set",
    "skeleton.cells_per_stage=1",
    "--set",
    "skeleton.filters=4",
)
FILES = {
    "README.md",
    "cells.svg",
    "genotype.json",
    "model.py",
    "network.svg",
    "weights.safetensors",
    RECORD_FILE,
}


def search(folder: Path, *more: str, trials: int = 2) -> dict:
    return nas(*TRAINED, "--trials", str(trials), "--out", folder, "--json", *more).json


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "study"
    search(folder, "--to", "none")
    return folder


@pytest.fixture
def mine(study: Path, tmp_path: Path) -> Path:
    """A copy of a finished trained study without an export."""
    folder = tmp_path / "mine"
    subprocess.run(["cp", "-r", str(study), str(folder)], check=True)
    return folder


def names(study: Path) -> set[str]:
    return {path.name for path in (study / "best").iterdir()}


def test_a_finished_search_leaves_a_network_that_runs_elsewhere(mine: Path) -> None:
    assert names(mine) == {"genotype.json", "cells.svg"}
    answer = nas("resume", mine, "--to", "python,json,svg")
    assert answer.code == 0, answer.err
    assert names(mine) == FILES
    assert f"exported and verified: {mine / 'best'} (" in answer.out
    assert f"  nas retrain {mine}\n" in answer.out
    command = re.search(
        r"run it anywhere with torch and Pillow: python (\S+) PICTURE\n", answer.out
    )
    assert command is not None
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    code = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(('nas', 'search_spaces', 'runners')));"
        f"runpy.run_path({command[1]!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd="/", env=bare, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "parameters\nan image of noise: " in done.stdout
    trial = json.loads((mine / "best" / RECORD_FILE).read_text())["subject"]["trial"]
    card = (mine / "best" / "README.md").read_text()
    assert f"- trial: {trial}" in card
    opened = [event for event in lines(mine) if event["event"] == "opened"]
    assert [event["number"] for event in opened] == [trial]
    assert f"- test split: {opened[0]['final']['test_accuracy']}\n" in card


def test_onnx_comes_along_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert winner.quick_formats()[:3] == ("python", "json", "svg")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert winner.quick_formats() == ("python", "json", "svg", "onnx")
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "onnxruntime" else name
    )
    assert winner.quick_formats() == ("python", "json", "svg")


def test_json_names_the_files_and_nothing_is_done_twice(mine: Path) -> None:
    said = nas("resume", mine, "--to", "python,json", "--json").json["export"]
    assert said["problem"] is None
    assert {Path(file).name for file in said["files"]} == {
        "README.md", "genotype.json", "model.py", "weights.safetensors",
    }  # fmt: skip
    assert all(Path(file).is_file() for file in said["files"])
    before = {
        path: path.stat().st_mtime_ns
        for path in (mine / "best").iterdir()
        if path.name in ("model.py",)
    }
    again = nas("resume", mine, "--to", "python,json", "--json").json["export"]
    assert set(again["files"]) == set(said["files"])
    assert {path: path.stat().st_mtime_ns for path in before} == before
    (mine / "best" / "model.py").unlink()
    nas("resume", mine, "--to", "python,json", "--json")
    assert (mine / "best" / "model.py").is_file()


def test_files_of_an_earlier_winner_do_not_stay(mine: Path) -> None:
    other = choices(str(mine), top=2)[1]
    export(subject_of(other), mine / "best", ["json", "dot"])
    assert read_record(mine / "best").subject["trial"] == other.origin["trial"]
    nas("resume", mine, "--to", "none")
    assert names(mine) == {"genotype.json", "cells.svg"}
    export(subject_of(other), mine / "best", ["json", "dot"])
    said = nas("resume", mine, "--to", "json", "--json").json
    assert read_record(mine / "best").subject["trial"] == said["best"]["number"]
    assert "cells.dot" not in names(mine)
    assert json.loads((mine / "best" / "genotype.json").read_text()) == said["best"]["genotype"]


def test_another_skeleton_takes_the_place_of_the_network_but_not_of_the_genotype(
    mine: Path,
) -> None:
    nas("resume", mine, "--to", "python,json,svg")
    genotype = (mine / "best" / "genotype.json").read_text()
    assert nas("export", mine, "--to", "python", "--set", "skeleton.filters=6").code == 0
    assert names(mine) == FILES - {"cells.svg", "network.svg"}
    assert (mine / "best" / "genotype.json").read_text() == genotype
    export(subject_of(choices(str(mine), top=2)[1]), mine / "best", ["dot"])
    assert "genotype.json" not in names(mine), "it is nobody's drawing there any more"


def test_an_export_cut_short_is_not_taken_for_a_whole_one(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best, other = choices(str(mine), top=2)
    export(subject_of(other), mine / "best", ["json", "dot"])
    whole, placed = Path.replace, []

    def dies(self: Path, target: Path) -> Path:
        if self.suffix == ".py":
            raise KeyboardInterrupt
        placed.append(Path(target).name)
        return whole(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dies)
        with pytest.raises(KeyboardInterrupt):
            export(subject_of(best), mine / "best", ["json", "python"])
    assert "genotype.json" in placed
    assert not {"model.py", "weights.safetensors", "cells.dot", "README.md"} & names(mine)
    assert read_record(mine / "best").whole is False
    (mine / ".best-left").mkdir()
    os.utime(mine / ".best-left", (1e9, 1e9))
    (mine / ".best-somebodys").mkdir()
    assert nas("resume", mine, "--to", "python,json", "--json").json["export"]["problem"] is None
    assert read_record(mine / "best").whole
    assert [path.name for path in mine.glob(".best-*")] == [".best-somebodys"], (
        "who may be at it this moment"
    )


def test_other_weights_are_neither_taken_for_the_winners_nor_praised_for_its_accuracy(
    mine: Path,
) -> None:
    def card() -> str:
        return (mine / "best" / "README.md").read_text()

    nas("resume", mine, "--to", "python")
    own = read_record(mine / "best").subject
    tensors, facts = read_weights(mine / "checkpoints" / str(own["trial"]) / "weights.safetensors")
    changed = {
        name: tensor + 1 if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    foreign = mine.parent / "foreign.safetensors"
    save_file(changed, foreign, {"format": "1", "facts": json.dumps(facts)})
    assert nas("export", mine, "--to", "python", "--weights", foreign).code == 0
    assert read_record(mine / "best").subject != own
    assert "accuracy: not written in the weights" in card()
    nas("resume", mine, "--to", "python")
    assert read_record(mine / "best").subject == own
    assert "- validation split: " in card()


@pytest.mark.parametrize(("formats", "left"), [("python,json,svg", True), ("json", False)])
def test_a_failed_export_is_told_in_a_line(
    mine: Path, monkeypatch: pytest.MonkeyPatch, formats: str, left: bool
) -> None:
    from nas.exporting import export as exporting

    def failing(kind: str, name: str) -> object:
        if name == ("svg-drawing" if left else "json-genotype"):
            raise RuntimeError("the printer\nis on fire")
        return load(kind, name)

    monkeypatch.setattr(exporting, "load", failing)
    answer = nas("resume", mine, "--to", formats)
    assert answer.code == 0
    what = "not every format could be" if left else "the winner could not be"
    line = (
        f"{what} exported (the printer is on fire); try again: nas export {mine} --to {formats}\n"
    )
    assert line in answer.out
    assert ("model.py" in names(mine)) is left
    said = nas("resume", mine, "--to", formats, "--json").json["export"]
    assert said["problem"] == "the printer is on fire"
    assert said["try_again"] == f"nas export {mine} --to {formats}"


def test_the_commands_to_run_a_winner_can_be_copied_from_any_folder(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = mine.rename(mine.parent / "it's mine")
    files = tuple(study / "best" / name for name in ("model.py", "model.onnx"))
    told = list(winner_told(winner.Winner(study, files)))
    assert shlex.split(told[1].partition(": ")[2]) == ["python", str(files[0]), "PICTURE"]
    python, option, code = shlex.split(told[2].removeprefix("run it anywhere with onnxruntime: "))
    assert (python, option) == ("python", "-c")
    asked = []

    class Session:
        def __init__(self, model: str) -> None:
            asked.append(model)

        def get_inputs(self) -> list[SimpleNamespace]:
            return [SimpleNamespace(shape=["batch", 3, 8, 8])]

        def run(self, names: None, images: dict) -> list[tuple[int, ...]]:
            return [images["images"].shape]

    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(InferenceSession=Session))
    exec(code, {"print": asked.append})
    assert asked == [str(files[1]), (1, 3, 8, 8)]
    monkeypatch.setattr(winner, "_exported", lambda *_: 1 / 0)
    again = winner.export_winner(study, ["json"]).again
    assert again is not None
    assert shlex.split(again) == ["nas", "export", str(study), "--to", "json"]


def test_an_interrupted_export_leaves_a_finished_search(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(winner, "_exported", interrupted)
    answer = nas("resume", mine, "--to", "python")
    assert answer.code == 3
    assert f"(it was interrupted); try again: nas export {mine} --to python\n" in answer.out


def test_a_table_search_exports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winner, "export_winner", lambda *_: pytest.fail("nothing was trained"))
    answer = nas("search", *SMALL, "--trials", "3", "--out", tmp_path / "s", "--json")
    assert answer.json["export"] is None
    assert names(tmp_path / "s") == {"genotype.json"}


def test_formats_for_a_search_that_trains_nothing_are_refused_before_it(tmp_path: Path) -> None:
    sentence = nas(
        "search", *SMALL, "--trials", "3", "--out", tmp_path / "s", "--to", "python,onnx"
    ).sentence
    assert sentence == (
        "--to python,onnx exports trained weights, and evaluator 'landscape' trains none: leave "
        "it out, and export the "
        "winner untrained with `nas export`"
    )
    assert not (tmp_path / "s").exists()


def test_weights_that_were_not_kept_are_missed_aloud(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    answer = nas(
        *TRAINED,
        "--trials",
        "1",
        "--out",
        folder,
        "--set",
        "evaluator.keep_weights=false",
        "--to",
        "python",
    )
    assert answer.code == 0
    assert "the winner is not exported: its weights were not kept\n" in answer.err


def test_a_format_nobody_knows_is_refused_before_the_search(tmp_path: Path) -> None:
    sentence = nas(
        "search", *SMALL, "--trials", "3", "--out", tmp_path / "s", "--to", "caffe"
    ).sentence
    assert sentence.startswith("no exporter is called 'caffe'; there are ")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"whole": true}',
        '{"whole": true, "subject": {}, "files": {"a": ["../events.jsonl"]}}',
    ],
)
def test_a_record_that_is_none_is_no_record(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD_FILE).write_text(text)
    assert read_record(tmp_path) is None


def test_clearing_leaves_what_was_not_exported(tmp_path: Path) -> None:
    for name in ("model.py", "notes.txt", "genotype.json"):
        (tmp_path / name).write_text("x")
    record = Record(
        {"key": "k"},
        {"python-source": ("model.py",), "json-genotype": ("genotype.json",)},
        whole=True,
    )
    record.write(tmp_path)
    clear(tmp_path, record, but=("genotype.json",))
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "genotype.json"}
