"""What holds for every test: those that start a real Ray are left out where that would do harm."""

from __future__ import annotations

import pytest
from ray_parts import why_not_here


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip with the reason and the remedy."""
    reason = why_not_here()
    for item in items:
        if reason is not None and item.get_closest_marker("ray") is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
