"""What a section is asked to do, and the two kinds of line it answers with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One section's task: on which device, how large, how long, and where it may write."""

    device: str
    small: bool
    seconds: float
    folder: Path

    @property
    def on_gpu(self) -> bool:
        """Whether this is about a GPU at all."""
        return self.device.startswith("cuda")


def figure(name: str, value: float, unit: str, reference: float | None = None) -> Line:
    """Something measured, beside what it is compared with."""
    ratio = None if not reference else round(value / reference, 4)
    return {"name": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


def check(name: str, difference: float, most: float) -> Line:
    """Something that is right where it differs by no more than so much."""
    return {"name": name, "difference": difference, "most": most, "right": difference <= most}


def left_out(name: str, reason: str) -> Line:
    """Something that cannot be asked here, and why."""
    return {"name": name, "left_out": reason}
