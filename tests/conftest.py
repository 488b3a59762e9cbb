"""What holds for every test: those that start a real Ray are left out where that would do harm."""

from __future__ import annotations

import os

import pytest

from parts.clusters import why_not_here

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # one of several: their pools of threads would fight over the same cores
    os.environ.setdefault(
        "OMP_NUM_THREADS", "1"
    )  # before torch is imported, and in every process a test starts


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip with the reason and the remedy."""
    reason = why_not_here()
    for item in items:
        if reason is not None and item.get_closest_marker("ray") is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
