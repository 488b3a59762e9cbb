"""Cells: what they are called, what they do, what network they make.

Here stands what all files about them say alike: names of roles and operations (stdlib only).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from search_spaces.errors import UnknownOpError, known_names

SCHEMA = 1  # of the JSON form of a genotype
SCHEMA_WITH_SETTINGS = 2  # of one that chose settings; all others are written as they always were

Combine = Literal["add", "concat"]
Pairs = tuple[tuple[int, str], ...]  # the source and operation of each edge of a node
Setting = int | float | str | bool  # of a skeleton or a recipe
Decided = Mapping[str, tuple[Setting, ...]]  # settings of which each genotype chooses one value

ROLES = ("normal", "reduction")
COMBINES: tuple[Combine, ...] = ("add", "concat")
NASNET_OPS = (
    "identity",
    "conv_1x3_3x1",
    "conv_1x7_7x1",
    "dil_3x3",
    "avg_3x3",
    "max_3x3",
    "max_5x5",
    "max_7x7",
    "conv_1x1",
    "conv_3x3",
    "sep_3x3",
    "sep_5x5",
    "sep_7x7",
)
NASBENCH201_OPS = ("none", "identity", "conv_1x1", "conv_3x3", "avg_3x3")
"""In the order of the digits in the benchmark's tables."""

# The operations of ops.py, read from its text: to import it takes torch, and a second.
OP_NAMES: tuple[str, ...] = tuple(
    re.findall(
        r"^@op\ndef (\w+)", Path(__file__).with_name("ops.py").read_text("utf-8"), re.MULTILINE
    )
)


def check_op(op: str, where: str = "") -> None:
    """Refuse an operation nobody knows."""
    if op not in OP_NAMES and op not in (known := known_ops()):
        known_ones = known_names(op, known, "op")
        raise UnknownOpError(
            f"{where}{known_ones} (one of your own is known once its file is imported: "
            "nas --import my_file.py ...)"
        )


def known_ops() -> tuple[str, ...]:
    """The names of all operations: ours, and those that other files have registered, for which they
    had to import `ops.py`; it needs torch, so it is not imported here."""
    ops = sys.modules.get("search_spaces.cells.ops")
    return OP_NAMES if ops is None else tuple(dict.fromkeys((*OP_NAMES, *ops.op_names())))
