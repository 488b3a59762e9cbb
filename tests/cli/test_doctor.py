"""`nas doctor` finds what is really wrong: each fault is planted, and all are found at once, each
with what mends it."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parts.command_line import ROOT

# What is planted: the name of the check that finds it, a word of what it says, one of its remedy.
FAULTS = {
    "a package that is missing": ("package optuna", "not installed", "pip install"),
    "a package that is broken": ("package rich", "torn in two", "--force-reinstall rich"),
    "more threads than cores": ("threads", "'4096'", "unset OMP_NUM_THREADS"),
    "a limit on memory": ("memory limit", "6.0 GiB", "ulimit -v unlimited"),
    "a folder that takes no files": ("folder of results", "cannot be written", "--out"),
    "a disk that is full": ("temporary files", "cannot be written", "make room"),
    "a GPU that torch does not see": ("GPUs", "torch sees 0", "install a torch"),
    "no folder of data": ("folder of data", "no such folder", "NAS_DATA"),
    "data that is not complete": ("data cifar10", "data_batch_2", "get https://"),
    "a token that is missing": ("Ray token", "there is none in", "get-auth-token"),
    "a cluster that does not answer": ("Ray cluster", "nobody listens", "check the address"),
}
MAYBE = {"an extra that is missing": ("package onnx (onnx)", "not installed", "[onnx]")}
# In a process of its own: packages that are not found, and no file larger than 64 KiB.
PLANTED = """
import resource, runpy, sys
class Without:
    def __init__(self, finder): self.finder = finder
    def __getattr__(self, name): return getattr(self.finder, name)
    def find_spec(self, name, *rest):
        return None if name.partition(".")[0] in ("optuna", "onnx") else self.finder.find_spec(name, *rest)
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16))
resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))
sys.argv[0] = "nas"
runpy.run_module("nas", run_name="__main__")
"""  # noqa: E501


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("faulty")
    (home / "is-a-file").write_text("")
    (home / "broken").mkdir()
    (home / "broken" / "rich.py").write_text("raise RuntimeError('torn in two')\n")
    driver = home / "bin" / "nvidia-smi"
    driver.parent.mkdir()
    driver.write_text("#!/bin/sh\necho 'NVIDIA Planted, 999.99'\n")
    driver.chmod(0o755)
    batch = {b"data": np.zeros((1, 3072), np.uint8), b"labels": [0]}
    (home / "data").mkdir()
    (home / "data" / "data_batch_1").write_bytes(pickle.dumps(batch))
    words = [
        *("--out", str(home / "is-a-file" / "results"), "--dataset", "cifar10"),
        *("--data-dir", str(home / "data"), "--address", "127.0.0.1:9", "--seconds", "0"),
    ]
    answer = subprocess.run(
        [sys.executable, "-c", PLANTED, "doctor", *words, "--json"],
        capture_output=True,
        text=True,
        cwd=home,
        env={
            **os.environ,
            "PYTHONPATH": f"{home / 'broken'}{os.pathsep}{ROOT}",
            "PATH": f"{driver.parent}{os.pathsep}{os.environ['PATH']}",
            "OMP_NUM_THREADS": "4096",
            "OPENBLAS_NUM_THREADS": "1",
            "NAS_DATA": str(home / "nowhere"),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(home / "no-token"),
        },
    )
    assert answer.returncode == 1, answer.stderr[-2000:]
    assert not list(home.glob("**/.nas-doctor-*"))
    content: dict[str, Any] = json.loads(answer.stdout)
    return content


@pytest.mark.parametrize("fault", [*FAULTS, *MAYBE])
def test_a_planted_fault_is_found_with_its_remedy(found: dict[str, Any], fault: str) -> None:
    name, told, remedy = {**FAULTS, **MAYBE}[fault]
    (check,) = (each for each in found["checks"] if each["name"] == name)
    assert check["right"] is (None if fault in MAYBE else False)
    assert told in check["told"]
    assert remedy in check["remedy"]


def test_nothing_else_is_called_wrong(found: dict[str, Any]) -> None:
    planted = {name for name, _, _ in FAULTS.values()}
    wrong = [each for each in found["checks"] if each["right"] is False]
    for each in wrong:
        assert each["name"] in planted or "it needs " in each["told"], each


@pytest.mark.slow
def test_a_machine_that_is_well_searches(tmp_path: Path) -> None:
    """In a process of its own, with a real search and its export."""
    answer = subprocess.run(
        [sys.executable, "-m", "nas", "doctor", "--seconds", "1", "--dataset", "digits"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "ok  data digits: 997 pictures to train" in answer.stdout
    assert "trained, the winner has" in answer.stdout
    assert answer.stdout.endswith("this machine can search\n")
    assert list(tmp_path.iterdir()) == []
