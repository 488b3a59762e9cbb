"""`cells.png` and `network.png`: the drawings as pictures."""

from __future__ import annotations

from pathlib import Path

from nas.drawings.cells import cells_drawing
from nas.drawings.png import write_png
from nas.drawings.stack import stack_drawing
from nas.exporting.subject import Subject
from nas.exporting.written import Written

NEEDS = ("matplotlib",)


def png_drawing(subject: Subject, folder: Path) -> Written:
    """Write the drawings as PNG."""
    cells, network = folder / "cells.png", folder / "network.png"
    write_png(cells_drawing(subject.genotype, subject.title), cells)
    write_png(stack_drawing(subject.genotype, subject.skeleton, subject.title), network)
    return Written((cells, network), "`cells.png` and `network.png` are the drawings as pictures.")
