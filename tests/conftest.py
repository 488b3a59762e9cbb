"""What holds for every test: those that start a real Ray are left out where that would do harm."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from parts.clusters import why_not_here
from parts.strangers import Strangers

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # one of several: their pools of threads would fight over the same cores
    os.environ.setdefault(
        "OMP_NUM_THREADS", "1"
    )  # before torch is imported, and in every process a test starts


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a test often waits for a process or a disk."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def strangers() -> Iterator[None]:
    """Exported files are run by interpreters that need not load torch; one test of them all starts
    its own."""
    if "torch" not in sys.modules:  # too few tests to be worth it
        yield
        return
    from nas.exporting import stranger

    made = Strangers()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stranger, "subprocess", made)
        yield
    made.end()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip with the reason and the remedy."""
    reason = why_not_here()
    for item in items:
        if reason is not None and item.get_closest_marker("ray") is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
