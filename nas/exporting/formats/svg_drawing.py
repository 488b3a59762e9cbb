"""`cells.svg` and `network.svg`: both cells, and the whole network as a stack."""

from __future__ import annotations

from pathlib import Path

from nas.drawings.svg import cells_svg, stack_svg
from nas.exporting.subject import Subject
from nas.exporting.written import Written

WITHIN_SECONDS = True


def svg_drawing(subject: Subject, folder: Path) -> Written:
    """Write the drawings as SVG."""
    cells, network = folder / "cells.svg", folder / "network.svg"
    cells.write_text(cells_svg(subject.genotype, title=subject.title), encoding="utf-8")
    network.write_text(
        stack_svg(subject.genotype, subject.skeleton, title=subject.title), encoding="utf-8"
    )
    return Written((cells, network), "![cells](cells.svg)\n\n![network](network.svg)")
