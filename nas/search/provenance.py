"""Where numbers come from: versions, commit and hardware, as they stand in `study.json`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from nas.study.machines import processor_name

_PACKAGES = ("torch", "optuna", "ray", "numpy", "pandas")


@cache
def versions() -> dict[str, str | None]:
    """Python, ourselves and the packages that can change a search's outcome; None where one is not
    installed."""
    import nas

    found: dict[str, str | None] = {"python": platform.python_version(), "nas": nas.__version__}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


@cache
def commit() -> str | None:
    """The git commit of the source this runs from (with `+` when changed since), or None for an
    installed copy."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    revision = _git(root, "rev-parse", "HEAD")
    if revision is None:
        return None
    return revision + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")


@cache
def hardware() -> dict[str, Any]:
    """The processor, its usable cores and the GPUs."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": processor_name(),
        "cores": cores,
        "gpus": _gpu_names(),
        "system": platform.platform(terse=True),
    }


def _git(root: Path, *words: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _gpu_names() -> list[str]:
    """Asked of the driver's own tool unless torch is loaded: importing it takes longer than a table
    search."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    try:
        words = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        answer = subprocess.run(words, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return answer.stdout.split("\n")[:-1]
