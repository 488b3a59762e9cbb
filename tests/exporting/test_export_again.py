"""A folder that was exported to before: what is damaged is written anew, and the card knows all
that lies there."""

import json
import subprocess
from pathlib import Path

import pytest

from nas.exporting.export import export
from nas.exporting.winner import export_winner
from nas.registry import load
from nas.search.record import RECORD_FILE, Check, read_record
from nas.seeding import numpy_rng
from parts.command_line import nas
from parts.exported_networks import subject, trained_study


def small(**skeleton: int):
    drawn = load("space", "ladder")().sample(numpy_rng(6, "again"))
    return subject(drawn, filters=4, image_size=8, **skeleton)


def card_of(folder: Path) -> str:
    return (folder / "README.md").read_text()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = tmp_path_factory.mktemp("exported") / "study"
    trained_study(study)
    assert export_winner(study, ["python", "json"]).problem is None
    return study


@pytest.fixture
def study(exported: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    subprocess.run(["cp", "-r", str(exported), str(folder)], check=True)
    return folder


# ------------------------------------------------------------------ damaged files


@pytest.mark.parametrize("name", ["model.py", "weights.safetensors"])
def test_a_damaged_file_is_not_called_verified_but_written_anew(study: Path, name: str) -> None:
    file = study / "best" / name
    whole = file.read_bytes()
    file.write_bytes(whole[:-7])
    told = export_winner(study, ["python", "json"])
    assert told.problem is None
    assert file in told.files
    assert len(file.read_bytes()) == len(whole)
    record = read_record(study / "best")
    assert record is not None
    assert "python-source" in record.intact(study / "best")


def test_what_is_whole_is_not_written_again(study: Path) -> None:
    best = study / "best"
    (best / "README.md").write_text("my own notes")
    (best / "cells.svg").write_text("of the search")
    before = {path: path.stat().st_mtime_ns for path in best.iterdir()}
    assert {file.name for file in export_winner(study, ["python"]).files} == {
        "README.md", "genotype.json", "model.py", "weights.safetensors",
    }  # fmt: skip
    assert {path: path.stat().st_mtime_ns for path in best.iterdir()} == before


def test_damaged_files_of_a_format_not_asked_for_are_not_called_verified(study: Path) -> None:
    assert nas("export", study, "--to", "dot").code == 0
    (study / "best" / "cells.dot").write_text("damaged")
    assert "cells.dot" not in {file.name for file in export_winner(study, ["python"]).files}
    export_winner(study, ["dot"])
    assert (study / "best" / "cells.dot").read_text() != "damaged"


def test_a_record_without_digests_is_read_but_not_believed(study: Path) -> None:
    file = study / "best" / RECORD_FILE
    record = json.loads(file.read_text())
    file.write_text(json.dumps({name: record[name] for name in ("whole", "subject", "files")}))
    assert read_record(study / "best") is not None
    (study / "best" / "model.py").write_text("damaged")
    assert export_winner(study, ["python", "json"]).problem is None
    assert (study / "best" / "model.py").read_text() != "damaged"
    assert set(json.loads(file.read_text())["digests"]) == set(record["digests"])


@pytest.mark.parametrize("checks", [7, [7], [{"format": "x"}], [{"format": 1, "batch": 1}]])
def test_odd_words_in_a_record_cost_no_more_than_themselves(tmp_path: Path, checks: object) -> None:
    export(small(), tmp_path / "out", ["json"])
    file = tmp_path / "out" / RECORD_FILE
    file.write_text(
        json.dumps(
            {**json.loads(file.read_text()), "checks": checks, "usages": [], "digests": {"a": 1}}
        )
    )
    record = read_record(tmp_path / "out")
    assert record is not None
    assert (record.checks, record.usages, record.digests) == ((), {}, {})
    assert record.files["json-genotype"] == ("genotype.json",)


# ------------------------------------------------------------------ one format after another


def test_the_card_knows_every_format_that_lies_there(study: Path) -> None:
    first = card_of(study / "best")
    assert nas("export", study, "--to", "dot").code == 0
    text = card_of(study / "best")
    for words in (
        "from model import NAMES, build",
        "`genotype.json` is the drawing",
        "`cells.dot` is for Graphviz",
    ):
        assert words in text, words
    rows = [line for line in first.splitlines() if line.startswith("| python-source |")]
    assert len(rows) == 3
    assert [line for line in text.splitlines() if line.startswith("| python-source |")] == rows
    assert nas("export", study, "--to", "python").code == 0
    assert card_of(study / "best").count("| python-source |") == 3
    assert card_of(study / "best").count("from model import NAMES, build") == 1


def test_the_card_says_nothing_verified_of_files_that_changed(study: Path) -> None:
    (study / "best" / "model.py").write_text("print('mine')")
    assert nas("export", study, "--to", "dot").code == 0
    text = card_of(study / "best")
    assert "from model import NAMES, build" in text
    assert "| python-source |" not in text
    assert (study / "best" / "model.py").read_text() == "print('mine')"


def test_the_card_forgets_what_another_network_replaced(study: Path) -> None:
    assert nas("export", study, "--to", "dot", "--set", "skeleton.filters=6").code == 0
    text = card_of(study / "best")
    assert "`genotype.json` is the drawing" in text
    assert "from model import NAMES, build" not in text
    assert "| python-source |" not in text
    assert not (study / "best" / "model.py").exists()


def test_formats_that_were_never_put_in_place_are_forgotten(tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(small(), out, ["json", "dot"])
    (out / "cells.dot").unlink()
    export(small(), out, ["json"])
    record = read_record(out)
    assert record is not None
    assert set(record.files) == {"json-genotype", "card"}
    assert set(record.intact(out)) == {"json-genotype", "card"}
    assert "Graphviz" not in card_of(out)


def test_a_check_comes_back_as_it_was(study: Path) -> None:
    record = read_record(study / "best")
    assert record is not None
    assert [check.batch for check in record.checks] == [1, 2, 17]
    assert all(isinstance(check, Check) and check.relative <= 1e-5 for check in record.checks)
