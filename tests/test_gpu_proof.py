"""The proof kit at its smallest size on the CPU, where nothing is installed but torch, numpy and
safetensors: so that it works on the day a GPU is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Finders are asked in turn; here none of them finds what a bare GPU machine does not have.
BARE = """
import runpy, sys
class Without:
    def __init__(self, finder): self.finder = finder
    def __getattr__(self, name): return getattr(self.finder, name)
    def find_spec(self, name, *rest):
        return None if name.partition(".")[0] in MISSING else self.finder.find_spec(name, *rest)
MISSING = set("pydantic pandas optuna ray typer rich matplotlib scipy pyarrow onnx PIL".split())
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
sys.argv[0] = "benchmarks.gpu_proof"
runpy.run_module("benchmarks.gpu_proof", run_name="__main__")
"""


def proof(*words: str, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BARE, *words, "--small", "--out", str(out)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gpu")
    answer = proof("--device", "cpu", out=out)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    (folder,) = out.iterdir()
    return folder


def test_every_section_says_something_and_all_checks_are_right(proven: Path) -> None:
    from benchmarks.gpu_proof.__main__ import SECTIONS

    sections = json.loads((proven / "proof.json").read_text())["sections"]
    assert list(sections) == list(SECTIONS)
    assert all(sections.values())
    checks = [line for lines in sections.values() for line in lines if "right" in line]
    assert len(checks) > 40
    assert all(line["right"] for line in checks)


def test_every_operation_is_checked_in_every_way(proven: Path) -> None:
    from search_spaces.cells.ops import op_names

    lines = json.loads((proven / "proof.json").read_text())["sections"]["correctness"]
    names = {line["name"] for line in lines}
    for op in op_names():
        for way in ("fp32 channels-last", "bf16 channels-last"):
            assert f"op {op}, stride 2, {way}" in names


def test_the_search_has_a_log_that_readers_read(proven: Path) -> None:
    events = (proven / "search" / "events.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in events if '"told"' in line]
    assert len(told) == 2


def test_the_page_says_that_small_is_no_speed(proven: Path) -> None:
    page = (proven / "README.md").read_text()
    assert "it shows that all of it runs, and no speed" in page
    assert "## correctness" in page


@pytest.mark.slow
def test_a_section_that_breaks_breaks_no_other(tmp_path: Path) -> None:
    """There is no CUDA here: every section fails, says so, and the next begins."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here, so nothing breaks")
    answer = proof("card", "mobile", "--device", "cuda", out=tmp_path)
    assert answer.returncode == 1
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [line["section"] for line in lines if "failed" in line] == ["card", "mobile"]
    assert list(tmp_path.glob("*/README.md"))
