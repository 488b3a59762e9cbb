"""What was settled on each kind of machine that a study has run on, in a file beside its log: on
the same kind it goes on alike."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from nas.contracts import Evaluator
from nas.errors import StudyError
from nas.study.attempt import plain
from nas.study.files import write_whole

MACHINES: Final = "machines.json"
_LARGEST_FILE = 1_000_000

Settled = Mapping[str, Any]


def settled_before(folder: Path) -> list[Settled]:
    """What was settled on machines of this study until now."""
    path = folder / MACHINES
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError("it is too large")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError, RecursionError) as problem:
        raise StudyError(_unreadable(path)) from problem
    if not (isinstance(found, list) and all(isinstance(one, dict) for one in found)):
        raise StudyError(_unreadable(path))
    return found


def settle_here(evaluator: Evaluator, folder: Path) -> Settled:
    """Let an evaluator settle in this process what hangs on the machine, and keep it."""
    settled: Settled = plain(evaluator.settle(settled_before(folder)))
    keep_settled(folder, [settled])
    return settled


def keep_settled(folder: Path, settled: Iterable[Settled]) -> None:
    """Write down what was settled on kinds of machines that the study has not seen before."""
    before = settled_before(folder)
    new = [one for one in settled if one]
    after = [*before, *(one for place, one in enumerate(new) if one not in [*before, *new[:place]])]
    if after != before:
        write_whole(folder / MACHINES, json.dumps(after, indent=2) + "\n")


def hardware_of(device: str) -> str:
    """What kind of machine a device of torch is: the model of the GPU, or of the processor."""
    if not device.startswith("cuda"):
        return processor_name()
    import torch

    return torch.cuda.get_device_name(device)


def processor_name() -> str:
    """The processor as its maker names the model, where the system says so."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _unreadable(path: Path) -> str:
    return (
        f"{path} cannot be read as a list of machines: restore it from a copy, or remove it, and "
        "what it held is settled anew"
    )
