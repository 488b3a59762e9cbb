"""The outcome of one check of a self-test."""

from __future__ import annotations

from typing import NamedTuple


class Check(NamedTuple):
    """One thing that was tested, whether it holds, and the figures."""

    name: str
    passed: bool
    detail: str
