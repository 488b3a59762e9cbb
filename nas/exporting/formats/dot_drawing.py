"""`cells.dot`: both cells for Graphviz."""

from __future__ import annotations

from pathlib import Path

from nas.drawings.dot import cells_dot
from nas.exporting.subject import Subject
from nas.exporting.written import Written


def dot_drawing(subject: Subject, folder: Path) -> Written:
    """Write the cells as DOT text."""
    file = folder / "cells.dot"
    file.write_text(cells_dot(subject.genotype, subject.title), encoding="utf-8")
    return Written((file,), "`cells.dot` is for Graphviz: `dot -Tsvg cells.dot`.")
