"""Runs exported files where we are not: in a fresh interpreter that refuses to import our
packages."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from nas.errors import NasError

_LONGEST_SECONDS = 3600
_DRIVER = """
import sys
for name in ("nas", "search_spaces", "runners"):
    sys.modules[name] = None
import torch
torch.set_num_threads({threads})
{load}
images = torch.load({images!r}, weights_only=True)
with torch.inference_mode():
    torch.save([network(batch) for batch in images], {logits!r})
"""
_PYTHON = """
import importlib.util
specification = importlib.util.spec_from_file_location("model", {file!r})
module = importlib.util.module_from_spec(specification)
specification.loader.exec_module(module)
network = module.build()
"""
_PROGRAM = """
import warnings
warnings.simplefilter("ignore")
network = torch.export.load({file!r}).module()
"""


def answers_of_python(file: Path, batches: Sequence[Tensor]) -> list[Tensor]:
    """What `build()` of this file makes of each batch."""
    return _answers(_PYTHON.format(file=str(file.resolve())), file, batches)


def answers_of_program(file: Path, batches: Sequence[Tensor]) -> list[Tensor]:
    """What this file of `torch.export` makes of each batch."""
    return _answers(_PROGRAM.format(file=str(file.resolve())), file, batches)


def _answers(load: str, file: Path, batches: Sequence[Tensor]) -> list[Tensor]:
    with tempfile.TemporaryDirectory() as folder:
        images, logits = Path(folder) / "images.pt", Path(folder) / "logits.pt"
        torch.save(list(batches), images)
        threads = torch.get_num_threads()
        driver = _DRIVER.format(load=load, threads=threads, images=str(images), logits=str(logits))
        _run(driver, folder, file.name)
        answers: list[Tensor] = torch.load(logits, weights_only=True)
        return answers


def _run(driver: str, folder: str, name: str) -> None:
    """`-I` leaves out the current folder, the user's packages and every PYTHON variable."""
    try:
        subprocess.run(
            [sys.executable, "-I", "-c", driver],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as problem:
        raise NasError(
            f"{name} did not answer within {_LONGEST_SECONDS} s; verify it on a faster machine"
        ) from problem
    except subprocess.CalledProcessError as problem:
        last = (problem.stderr.strip().splitlines() or [f"exit code {problem.returncode}"])[-1]
        raise NasError(
            f"{name} does not run in a fresh interpreter: {last[:300]}; nothing was exported"
        ) from problem
