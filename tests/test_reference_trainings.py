"""The table of networks designed by hand, made at its smallest size, so that it works on the day a
GPU is there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "results" / "published" / "references" / "train.py"


def test_a_network_is_trained_judged_once_and_put_beside_what_is_quoted(tmp_path: Path) -> None:
    words = ("--small", "--device", "cpu", "--only", "resnet-18")
    command = [sys.executable, str(SCRIPT), *words, "--out", str(tmp_path)]
    first = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert first.returncode == 0, first.stderr
    assert "| resnet-18 | 11,173,962 | 1 | " in first.stdout
    assert " | 93.02 | " in first.stdout

    rows = json.loads((tmp_path / "results.json").read_text())
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("weights.safetensors")}
    assert len(kept) == 1
    again = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert again.stdout == first.stdout
    assert json.loads((tmp_path / "results.json").read_text()) == rows
    assert {file: file.stat().st_mtime_ns for file in kept} == kept  # nothing was trained again
