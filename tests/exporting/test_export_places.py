"""Where an export goes, and what lies there already: nobody's files are lost, and no foreign file
decides."""

import json
from pathlib import Path

import pytest

from nas.errors import NasError
from nas.exporting.choosing import choices
from nas.exporting.export import export
from nas.registry import load
from nas.search.record import RECORD_FILE, Record, clear, read_record
from nas.seeding import numpy_rng
from parts.command_line import nas
from parts.exported_networks import subject
from search_spaces.cells.genotype import Genotype

SMALL = (
    "--set",
    "skeleton.cells_per_stage=1",
    "--set",
    "skeleton.filters=4",
    "--set",
    "skeleton.image_size=8",
)


def genotype(number: int = 0) -> Genotype:
    drawn: Genotype = load("space", "ladder")().sample(numpy_rng(6, "places", number))
    return drawn


@pytest.fixture
def drawing(tmp_path: Path) -> Path:
    file = tmp_path / "drawing.json"
    file.write_text(genotype().to_json())
    return file


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


# ------------------------------------------------------------------ files that are not ours


@pytest.mark.parametrize("name", ["README.md", "model.py", "genotype.json", RECORD_FILE])
def test_a_user_s_own_files_are_refused_and_stay(drawing: Path, tmp_path: Path, name: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / name).write_text("mine")
    sentence = nas("export", drawing, "--to", "python,json", "--out", project, *SMALL).sentence
    assert (
        f"{project} holds {name}, which no export that is known there has written; nothing was "
        "changed"
    ) in sentence
    assert "choose another folder with --out" in sentence
    assert content(project) == {name: "mine"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_link_that_leads_nowhere_is_a_file_too(drawing: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.py").symlink_to(tmp_path / "elsewhere")
    assert (
        "holds model.py"
        in nas("export", drawing, "--to", "python", "--out", tmp_path / "out", *SMALL).sentence
    )


def test_files_of_the_folder_s_own_export_are_replaced(drawing: Path, tmp_path: Path) -> None:
    for to in ("dot", "json,dot"):
        assert nas("export", drawing, "--to", to, "--out", tmp_path / "out", *SMALL).code == 0
    assert set(content(tmp_path / "out")) == {
        "README.md",
        "cells.dot",
        "genotype.json",
        RECORD_FILE,
    }
    (tmp_path / "out" / "model.py").write_text("mine")
    before = content(tmp_path / "out")
    assert (
        "holds model.py"
        in nas("export", drawing, "--to", "python", "--out", tmp_path / "out", *SMALL).sentence
    )
    assert content(tmp_path / "out") == before


def test_what_a_search_writes_itself_is_not_in_the_way_of_its_best(tmp_path: Path) -> None:
    best = tmp_path / "study" / "best"
    best.mkdir(parents=True)
    for name in ("genotype.json", "cells.svg"):
        (best / name).write_text("of the search")
    small = subject(genotype(), filters=4, image_size=8)
    with pytest.raises(NasError, match=r"holds cells\.svg, genotype\.json, which no export"):
        export(small, best, ["json", "svg"])
    (tmp_path / "study" / "study.json").write_text("{}")
    export(small, best, ["json", "svg"])
    assert json.loads((best / "genotype.json").read_text())["space"] == "ladder"


def test_a_foreign_record_names_nothing_that_is_removed(drawing: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    record = {
        "whole": True,
        "subject": {"key": "of another"},
        "files": {"json-genotype": ["thesis.tex"]},
    }
    (out / RECORD_FILE).write_text(json.dumps(record))
    assert read_record(out) is None
    assert (
        "holds export.json" in nas("export", drawing, "--to", "json", "--out", out, *SMALL).sentence
    )
    assert (out / "thesis.tex").read_text() == "mine"


def test_an_exporter_calls_its_files_as_agreed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nas.exporting import export as exporting
    from nas.exporting.written import Written

    monkeypatch.setattr(
        exporting, "load", lambda *_: lambda subject, folder: Written((folder / "notes.txt",), "")
    )
    with pytest.raises(
        NasError, match=r"writes 'notes\.txt'; call its files model\.\*, cells\.\* or network\.\*"
    ):
        export(subject(genotype(), filters=4, image_size=8), tmp_path / "out", ["json"])
    assert list(tmp_path.iterdir()) == []


def test_an_export_killed_while_it_replaces_another_is_done_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nas.exporting import export as exporting

    one, other = (subject(genotype(), filters=filters, image_size=8) for filters in (4, 6))
    export(one, tmp_path / "out", ["json", "dot"])

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(exporting.Record, "write", dies)
        with pytest.raises(KeyboardInterrupt):
            export(other, tmp_path / "out", ["dot"])
    assert set(content(tmp_path / "out")) == {"genotype.json", RECORD_FILE}
    export(other, tmp_path / "out", ["json", "dot"])
    assert set(content(tmp_path / "out")) == {
        "README.md",
        "cells.dot",
        "genotype.json",
        RECORD_FILE,
    }


def test_clearing_removes_what_the_record_lists(tmp_path: Path) -> None:
    for name in ("model.py", "notes.txt"):
        (tmp_path / name).write_text("x")
    record = Record({"key": "k"}, {"python-source": ("model.py",)}, whole=True)
    record.write(tmp_path)
    clear(tmp_path, record)
    assert set(content(tmp_path)) == {"notes.txt"}


# ------------------------------------------------------------------ names that are not ours


@pytest.mark.parametrize(
    ("space", "folder"),
    [
        ("../../../evil", "_.._.._evil"),
        (".hidden", "hidden"),
        ("--help", "help"),
        ("/etc", "_etc"),
        ("my pkg:Miné", "my_pkg_Min_"),
        ("..", "genotype"),
        ("x" * 200, "x" * 100),
    ],
)
def test_a_genotype_does_not_decide_where_its_export_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: str, folder: str
) -> None:
    place = tmp_path / "a" / "b" / "c"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    drawn = Genotype.from_dict({**genotype().to_dict(), "space": space})
    Path("drawing.json").write_text(drawn.to_json())
    name = f"{folder}-{drawn.key[:8]}"
    assert choices("drawing.json")[0].name == name
    assert nas("export", "drawing.json", "--to", "json", *SMALL).code == 0
    assert {path.name for path in Path("exports").iterdir()} == {name}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_genotype_that_is_too_long_for_the_name_of_a_file_is_exported(tmp_path: Path) -> None:
    edges = ", ".join(f"('sep_conv_3x3', {source})" for source in (0, 1) * 4)
    darts = f"Genotype(normal=[{edges}], normal_concat=[2, 3, 4, 5], reduce=[{edges}], "
    darts += "reduce_concat=[2, 3, 4, 5])" + " " * 200
    assert len(darts) > 255
    assert nas("export", darts, "--to", "json", "--out", tmp_path / "exported").code == 0
    assert "no weights" in nas("predict", darts, tmp_path / "picture.png").sentence


def test_a_genotype_without_operations_of_ones_own_needs_no_import(
    drawing: Path, tmp_path: Path
) -> None:
    assert nas("export", drawing, "--to", "json", "--out", tmp_path / "out", *SMALL).code == 0
    assert "--import" not in (tmp_path / "out" / "README.md").read_text()
