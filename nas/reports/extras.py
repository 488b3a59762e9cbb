"""What the extra `plots` brings, and what a report is without it."""

from __future__ import annotations

from importlib.util import find_spec

from nas.errors import NasError

INSTALL = "pip install 'nas-toolkit[plots]'"


def is_there(package: str) -> bool:
    """Whether this package of the extra could be imported; nothing is."""
    return find_spec(package) is not None


def lacking() -> str | None:
    """What a report will lack, in a sentence; None where it will be whole."""
    without = {"matplotlib": "no picture is drawn", "scipy": "no difference is tested"}
    lacks = [
        f"{what} ({name} is not installed)" for name, what in without.items() if not is_there(name)
    ]
    return f"{' and '.join(lacks)}: {INSTALL}" if lacks else None


def require_tests() -> None:
    """Refuse a comparison that could not be judged in the end, before it begins."""
    if not is_there("scipy"):
        raise NasError(
            f"the verdict needs scipy, which is not installed: {INSTALL}, or say --no-report and "
            "report elsewhere"
        )
