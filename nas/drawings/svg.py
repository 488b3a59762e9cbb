"""Drawings as SVG, written by hand: self-contained, the same bytes every time, light and dark.

Light colours stand in attributes, so that every program understands them; the dark ones of theme
`auto` stand in a style sheet, which programs that know `prefers-color-scheme` apply and all others
skip.
"""

from __future__ import annotations

from hashlib import sha256
from html import escape

from nas.drawings.cells import cell_drawing, cells_drawing
from nas.drawings.palette import STYLES, Style, check_theme
from nas.drawings.shapes import Box, Curve, Drawing, Label, Shape
from nas.drawings.stack import stack_drawing
from search_spaces.cells.genotype import Cell, Genotype
from search_spaces.cells.skeleton import Skeleton

FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
ARROW = 6.5  # length of an arrowhead


def cells_svg(genotype: Genotype, theme: str = "auto", title: str | None = None) -> str:
    """All cells of a genotype, as the text of an SVG file."""
    return svg(cells_drawing(genotype, title), theme)


def cell_svg(
    cell: Cell, role: str = "normal", theme: str = "auto", title: str | None = None
) -> str:
    """One cell as the text of an SVG file."""
    return svg(cell_drawing(cell, role, title), theme)


def stack_svg(
    genotype: Genotype, skeleton: Skeleton, theme: str = "auto", title: str | None = None
) -> str:
    """The whole network of a genotype in a skeleton, as the text of an SVG file."""
    return svg(stack_drawing(genotype, skeleton, title), theme)


def svg(drawing: Drawing, theme: str = "auto") -> str:
    """Any drawing as the text of an SVG file."""
    check_theme(theme)
    styles = STYLES["dark" if theme == "dark" else "light"]
    width, height = number(drawing.width), number(drawing.height)
    mark = sha256(repr(drawing).encode()).hexdigest()[:8]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="nas-{theme}" viewBox="0 0 {width} '
        f'{height}" width="{width}" '
        f'height="{height}" role="img" aria-labelledby="t{mark} d{mark}" font-family="{FONT}">',
        f'<title id="t{mark}">{escape(drawing.title)}</title>',
        f'<desc id="d{mark}">{escape(drawing.description)}</desc>',
    ]
    if theme == "auto":
        lines.append(_dark_sheet(drawing))
    lines.append(
        f'<rect class="nas-page" width="{width}" height="{height}" fill="{styles["page"].fill}"/>'
    )
    lines += [_element(shape, styles) for shape in drawing.shapes]
    return "\n".join([*lines, "</svg>", ""])


def number(value: float) -> str:
    """A coordinate with at most one decimal."""
    return (
        f"{value:.1f}".removesuffix(".0").replace("-0", "0")
        if abs(value) < 0.05
        else f"{value:.1f}".removesuffix(".0")
    )


def _dark_sheet(drawing: Drawing) -> str:
    rules = []
    for role in ("page", *sorted({shape.role for shape in drawing.shapes})):
        style = STYLES["dark"][role]
        if role == "wire":
            rules += [
                f".nas-auto .nas-wire{{stroke:{style.fill}}}",
                f".nas-auto .nas-head{{fill:{style.fill}}}",
            ]
        else:
            stroke = "" if style.stroke == "none" else f";stroke:{style.stroke}"
            rules.append(f".nas-auto .nas-{role}{{fill:{style.fill}{stroke}}}")
    return f"<style>@media (prefers-color-scheme:dark){{{''.join(rules)}}}</style>"


def _element(shape: Shape, styles: dict[str, Style]) -> str:
    style = styles[shape.role]
    if isinstance(shape, Box):
        return _rect(shape, style)
    if isinstance(shape, Curve):
        return _path(shape, style)
    return _text(shape, style)


def _rect(box: Box, style: Style) -> str:
    dashes = ' stroke-dasharray="4 3"' if style.dashed else ""
    stroke = (
        ""
        if style.stroke == "none"
        else f' stroke="{style.stroke}" stroke-width="{style.width}"{dashes}'
    )
    start = (
        f'<rect class="nas-{box.role}" x="{number(box.x)}" y="{number(box.y)}" '
        f'width="{number(box.width)}" '
        f'height="{number(box.height)}" rx="{number(box.radius)}" fill="{style.fill}"{stroke}'
    )
    return f"{start}><title>{escape(box.tip)}</title></rect>" if box.tip else f"{start}/>"


def _path(curve: Curve, style: Style) -> str:
    x, y = curve.start
    steps = [f"M{number(x)} {number(y)}"]
    for first, second, end in curve.pieces:
        if x == end[0]:
            steps.append(f"V{number(end[1])}")
        else:
            steps.append(
                "C" + " ".join(f"{number(a)} {number(b)}" for a, b in (first, second, end))
            )
        x = end[0]
    line = (
        f'<path class="nas-{curve.role}" d="{"".join(steps)}" fill="none" stroke="{style.fill}" '
        f'stroke-width="{style.width}"/>'
    )
    return line + _head(curve, style) if curve.arrow else line


def _head(curve: Curve, style: Style) -> str:
    x, y = curve.end
    low, left, right = number(y + ARROW), number(x - ARROW * 0.45), number(x + ARROW * 0.45)
    return (
        f'<path class="nas-head" d="M{number(x)} {number(y)}L{left} {low}H{right}Z" '
        f'fill="{style.fill}"/>'
    )


def _text(label: Label, style: Style) -> str:
    bold = ' font-weight="bold"' if label.bold else ""
    return (
        f'<text class="nas-{label.role}" x="{number(label.x)}" '
        f'y="{number(label.y + label.size * 0.35)}" '
        f'font-size="{number(label.size)}" text-anchor="{label.anchor}"{bold} fill="{style.fill}">'
        f"{escape(label.text)}</text>"
    )
