"""A promise is a function that tries one part; here they are kept, all of a kind in turn."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from nas import registry

Promise = Callable[..., None]


def keep_all(promises: Iterable[Promise], part: object, *, with_folder: bool = False) -> None:
    """Try every promise; the first that is broken is named with what it says of itself.

    Args:
        with_folder: each one is given an empty folder besides.
    """
    for promise in promises:
        with tempfile.TemporaryDirectory() as folder:
            try:
                promise(part, Path(folder)) if with_folder else promise(part)
            except AssertionError as broken:
                words = " ".join((promise.__doc__ or promise.__name__).split())
                raise AssertionError(f"broken promise: {words} {broken}".rstrip()) from broken


def part_of(kind: str, part: Any) -> Any:
    """A part given by its name, or as it is."""
    if not isinstance(part, str):
        return part
    registry.allow(part)
    return registry.load(kind, part)


def maker_of(kind: str, part: Any, *given: object, **options: Any) -> Callable[[], Any]:
    """Makes the part anew each time."""
    return functools.partial(part_of(kind, part), *given, **options)
