"""One meaning a name: no file and no public class is called the same as another, unless it is the
same idea in two kinds of part."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES = sorted(file for package in ("nas", "runners") for file in (ROOT / package).rglob("*.py"))

# The same idea in two kinds of part; a new line here is a decision.
SHARED_FILES = {
    "cells": "a cell as a drawing, and as text of an exported file",
    "plan": "what a search is to do, and a comparison",
    "run": "how a search is carried out, and a comparison",
    "settings": "typed options: how words become them, those of the controller, and of a training",
    "weights": "a file of safetensors: of a network, and of a controller",
}
SHARED_CLASSES = {
    "Arm": "one of several that are compared: as planned, as reported, and in a transfer",
    "Best": "the best of a study: as the library hands it over, and as a report shows it over time",
    "Check": "a named comparison with its outcome: of an exported file, and of the controller",
    "Ended": "a message from a worker: of a trial, and of a training",
    "Progress": "how far it is: a search, a comparison, and a training",
    "Progressed": "a message from a worker: of a trial, and of a training",
    "Raised": "a message from a worker: of a trial, and of a training",
    "Table": "rows and columns: of published results, and of a report",
    "Winner": "the best of a study: exported, and reported",
}


def names_of_files() -> Iterator[tuple[str, str]]:
    """A verb's file is named after the verb, so the command line may repeat a name."""
    for file in FILES:
        place = file.relative_to(ROOT).as_posix()
        if not file.name.startswith("__") and not place.startswith("nas/cli/"):
            yield file.stem.lstrip("_"), place


def names_of_classes() -> Iterator[tuple[str, str]]:
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, file.relative_to(ROOT).as_posix()


def used_twice(names: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    places: dict[str, list[str]] = defaultdict(list)
    for name, place in names:
        places[name].append(place)
    return {name: found for name, found in places.items() if len(found) > 1}


def check(found: dict[str, list[str]], shared: dict[str, str]) -> None:
    wrong = [
        f"{name} is {' and '.join(places)}: rename one, or list it where it is the same idea"
        for name, places in found.items()
        if name not in shared
    ]
    assert not wrong, "\n".join(wrong)
    assert not set(shared) - set(found), "these are used once: take them off the list"


def test_no_file_name_has_two_meanings() -> None:
    check(used_twice(names_of_files()), SHARED_FILES)


def test_no_class_name_has_two_meanings() -> None:
    check(used_twice(names_of_classes()), SHARED_CLASSES)
