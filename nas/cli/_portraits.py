"""Portraits as text: the drawing, then what the network is and costs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from nas.cli._verb import harmless

if TYPE_CHECKING:
    from nas.drawings.portrait import Portrait
    from search_spaces.cells.cost import CellCost

_WIDEST = 160


def portrait_text(shown: Portrait, ascii_only: bool) -> str:
    """Everything about a genotype, for a terminal; the drawing may be coloured."""
    lines = [*map(harmless, _head(shown)), ""]
    if shown.genotype.cells:
        lines += [_drawn(shown, ascii_only), ""]
    return "\n".join([*lines, *map(harmless, _network(shown))])


def write_drawings(
    shown: Portrait, targets: Mapping[str, Path], theme: str, network: bool
) -> list[Path]:
    """Write the files asked for, by kind; DOT is always of the cells."""
    from nas.cli._genotypes import write_text
    from nas.drawings.dot import cells_dot
    from nas.drawings.svg import svg

    for kind, path in targets.items():
        if kind == "dot":
            write_text(path, cells_dot(shown.genotype, shown.title))
        elif kind == "svg":
            write_text(path, svg(shown.drawing(network), theme))
        else:
            from nas.drawings.png import write_png

            write_png(shown.drawing(network), path, theme)
    return list(targets.values())


def _head(shown: Portrait) -> Iterator[str]:
    yield f"{shown.title}, key {shown.genotype.key}" if shown.entry else f"key {shown.genotype.key}"
    if shown.entry:
        yield from wrap(shown.entry.source, 100)
    for name, choice in (shown.genotype.choices or shown.genotype.settings).items():
        yield f"  {name} = {choice}"


def _drawn(shown: Portrait, ascii_only: bool) -> str:
    from nas.drawings.terminal import cells_text, draws_boxes

    width = min(shutil.get_terminal_size((100, 24)).columns, _WIDEST)
    color = (
        sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )
    plain = ascii_only or not draws_boxes(sys.stdout.encoding)
    return cells_text(shown.genotype, width, color=color, plain=plain)


def _network(shown: Portrait) -> Iterator[str]:
    if shown.cost is None or shown.surroundings is None:
        yield f"no network: {shown.why_not}"
        return
    around, cost = shown.surroundings, shown.cost
    settings = ", ".join(f"{name} {_cell(value)}" for name, value in around.notable().items())
    yield from wrap(
        f"skeleton {around.name} ({around.origin}): {settings}", 100, subsequent_indent="  "
    )
    if shown.entry and around.published:
        published = shown.entry.published.get(around.name, {})
        yield "published: " + ", ".join(
            f"{name} {_cell(value)}" for name, value in published.items()
        )
    yield ""
    facts = {
        "params": f"{cost.params:,}",
        "params with statistics": f"{cost.params_with_statistics:,}",
        "auxiliary params": f"{cost.auxiliary_params:,}" if cost.auxiliary_params else "",
        "macs": f"{cost.macs:,}",
        (
            "activations, inference"
        ): f"{bytes_text(cost.inference_bytes)} at most at once, one image in float32",
        "activations, training": f"{bytes_text(cost.training_bytes)} kept for one image in float32",
    }
    yield from (f"{name:<24}{fact}" for name, fact in facts.items() if fact)
    yield ""
    yield from table([_row(row) for row in shown.per_cell])


def _row(row: CellCost) -> dict[str, Any]:
    return {
        "": row.name,
        "role": row.role if row.role != row.name else "",
        "filters": row.filters,
        "stride": row.stride,
        "output": "x".join(map(str, (*row.output[1:], row.output[0]))),
        "params": row.params,
        "macs": row.macs,
    }


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Records as lines, a column per field, numbers to the right."""
    cells = [[_cell(value) for value in row.values()] for row in rows]
    heads = [name.replace("_", " ") for name in rows[0]]
    right = [all(not isinstance(row[name], str) for row in rows) for name in rows[0]]
    widths = [max(len(row[column]) for row in [heads, *cells]) for column in range(len(heads))]
    for row in [heads, *cells]:
        words = [
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(row, widths, right, strict=True)
        ]
        yield "  ".join(words).rstrip()


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else str(value)


def bytes_text(count: int) -> str:
    """A number of bytes as people say it."""
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
