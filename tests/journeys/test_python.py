"""The way of the command line, from a folder of pictures to a deployed network, in Python: as a
script, and as cells of a notebook."""

from __future__ import annotations

import io
import sys
from contextlib import chdir, redirect_stdout
from pathlib import Path

import pytest

from nas.search.progress import ShownLine, is_watched
from parts.command_line import nas as command
from parts.picture_folders import coloured

SCRIPT = """\
import nas

small = {"recipe.epochs": 1, "skeleton.filters": 4, "skeleton.cells_per_stage": 1}
study = nas.search(
    space="ladder",
    dataset="image-folder:photos",
    trials=2,
    set=small,
    to=["python", "json"],
    out="study",
)
print(study.status.finished)
print(len(study.trials()), study.best.key)
print(nas.predict(study.folder, ["photo.png"])[0].classes[0].name)

full = nas.retrain(study.folder, seeds=1, set=small, to=["python"], out="full")
print(nas.predict(full.exported.folder, ["photo.png"])[0].classes[0].name)

other = nas.transfer(
    study.folder,
    dataset="image-folder:other",
    mode="finetune",
    open_cells=1,
    set={"recipe.epochs": 1},
    to=["json"],
    out="other-network",
)
print([row.name for row in other.rows])

exported = study.export("exported", to=["python", "svg"])
print(sorted(file.name for file in exported.folder.iterdir()))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with two folders of pictures, and a picture."""
    folder = tmp_path_factory.mktemp("home")
    coloured(folder / "photos")
    coloured(folder / "other", train=8, val=4)
    (folder / "photos" / "val" / "red" / "0.png").rename(folder / "photo.png")
    return folder


def python(home: Path, code: str) -> list[str]:
    """What a script, or the cells of a notebook one after another, print."""
    said = io.StringIO()
    with chdir(home), redirect_stdout(said), pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_DATA", str(home / "cache"))
        exec(compile(code, "script.py", "exec"), {"__name__": "__main__"})
    return said.getvalue().splitlines()


def test_a_script_goes_the_whole_way_a_notebook_and_the_command_line_go_on(home: Path) -> None:
    said = python(home, SCRIPT)
    assert said[0] == "all 2 trials are done"
    assert said[1].startswith("2 ")
    assert {said[2], said[3]} <= {"blue", "green", "red"}
    assert said[4] == "['searched']"
    assert "model.py" in said[5]
    assert (home / "study" / "best" / "model.py").is_file()
    log = (home / "study" / "events.jsonl").read_bytes()

    cells = SCRIPT.split("\n\n")
    assert python(home, "\n".join(cells)) == said
    assert (home / "study" / "events.jsonl").read_bytes() == log

    best = command("best", home / "study", "--json").json["best"][0]
    assert best["key"] == said[1].partition(" ")[2]
    assert command("status", home / "study", "--check", "--json").json["check"]["sound"]


class Output:
    """What IPython's display hands back, as far as we use it."""

    def __init__(self, shown: list[list[str]]) -> None:
        self.shown = shown

    def update(self, content: dict[str, str], *, raw: bool) -> None:
        self.shown[-1].append(content["text/plain"])


def test_progress_in_a_notebook_is_one_output_that_changes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[list[str]] = []

    class Display:
        @staticmethod
        def display(content: dict[str, str], *, raw: bool, display_id: bool) -> Output:
            shown.append([content["text/plain"]])
            return Output(shown)

    monkeypatch.setitem(sys.modules, "ipykernel", Display)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "IPython", Display)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "IPython.display", Display)  # type: ignore[arg-type]
    assert is_watched()
    line = ShownLine()
    line.write("1 trial")
    line.write("2 trials", last=True)
    line.write("exported")
    assert shown == [["1 trial", "2 trials"], ["exported"]]
    assert capsys.readouterr() == ("", "")
