"""A format of one's own is one file: it says itself what it needs, and everything knows it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FILE = '''"""`model.txt`: how large the network is."""

from pathlib import Path

from nas.exporting.subject import Subject
from nas.exporting.written import Written

NEEDS = ({needs})
WITHIN_SECONDS = True


def counted_weights(subject: Subject, folder: Path) -> Written:
    """Write the number of weights."""
    file = folder / "model.txt"
    count = sum(value.numel() for value in subject.network.parameters())
    file.write_text(str(count), encoding="utf-8")
    return Written((file,), "`model.txt` is a number.")
'''


def written(folder: Path, needs: str = "") -> None:
    """The file, in a package that is installed as far as Python can tell."""
    (folder / "my_formats.py").write_text(FILE.replace("{needs}", needs))
    about = folder / "my_formats-1.0.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-formats\nVersion: 1.0\n")
    point = "counted-weights = my_formats:counted_weights\n"
    (about / "entry_points.txt").write_text(f"[nas.exporter]\n{point}")


def nas(folder: Path, *words: str) -> str:
    path = os.pathsep.join((str(folder), str(Path(__file__).parents[2])))
    done = subprocess.run(
        [sys.executable, "-m", "nas", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_format_that_nobody_was_told_of_is_listed_and_written(tmp_path: Path) -> None:
    written(tmp_path)
    assert "counted-weights" in nas(tmp_path, "list", "exporters").split()
    code = "from nas.exporting.known import quick_formats; print(*quick_formats())"
    path = os.pathsep.join((str(tmp_path), str(Path(__file__).parents[2])))
    quick = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "counted" in quick.stdout.split()  # so a search writes it by itself
    small = ("--set", "skeleton.filters=4", "--set", "skeleton.cells_per_stage=1")
    out = nas(tmp_path, "export", "darts-v2", "--to", "counted", "--out", "own", *small)
    assert "counted-weights" in out
    assert int((tmp_path / "own" / "model.txt").read_text()) > 0
    assert "`model.txt` is a number." in (tmp_path / "own" / "README.md").read_text()


def test_a_format_whose_packages_are_missing_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, '"nowhere_to_be_found",')
    code = (
        "from nas.exporting.known import formats, quick_formats, usual_formats\n"
        "print(usual_formats(), quick_formats(), [each.word for each in formats()])"
    )
    path = os.pathsep.join((str(tmp_path), str(Path(__file__).parents[2])))
    monkeypatch.setenv("PYTHONPATH", path)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("counted") == 1
