"""The one drawing module that uses matplotlib: a drawing as PNG (or PDF, by the file's ending), the
twin of its SVG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.drawings.palette import STYLES, Style, check_theme
from nas.drawings.shapes import Box, Curve, Drawing, Label
from nas.drawings.svg import ARROW
from nas.errors import NasError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINT = 0.75  # points of one page unit: a page is laid out in CSS pixels of 1/96 inch
_FONT = "DejaVu Sans"  # comes with matplotlib, so a picture is the same everywhere
_CONDENSED = 0.92  # DejaVu is wider than the SVG's fonts; labels are a little smaller to look alike


def write_png(drawing: Drawing, path: Path, theme: str = "light", scale: float = 2.0) -> None:
    """Write a drawing as a picture; `auto` is light, as a picture cannot follow its page.

    Args:
        scale: pixels per page unit.
    """
    check_theme(theme)
    figure = _figure(drawing, STYLES["dark" if theme == "dark" else "light"])
    try:
        _save(figure, path, scale)
    except OSError as problem:
        raise NasError(f"{path} cannot be written: {problem.strerror or problem}") from problem


def _save(figure: Figure, path: Path, scale: float) -> None:
    if path.suffix.lower() == ".pdf":
        figure.savefig(path, format="pdf", metadata={"CreationDate": None})
    else:
        figure.savefig(path, format="png", dpi=96 * scale, metadata={"Software": None})


def _figure(drawing: Drawing, styles: dict[str, Style]) -> Figure:
    """A figure of its own, known to nobody else: no state of pyplot is touched."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise NasError(
            "pictures need matplotlib, which is not installed: pip install 'nas-toolkit[plots]', "
            "or write SVG instead"
        ) from problem
    figure = Figure(
        figsize=(drawing.width / 96, drawing.height / 96), facecolor=styles["page"].fill
    )
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), frameon=False)
    axes.set_axis_off()
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)
    for layer, shape in enumerate(drawing.shapes):
        _add(axes, shape, styles[shape.role], layer)
    return figure


def _add(axes: Axes, shape: Box | Curve | Label, style: Style, layer: int) -> None:
    if isinstance(shape, Box):
        _add_box(axes, shape, style, layer)
    elif isinstance(shape, Curve):
        _add_curve(axes, shape, style, layer)
    else:
        axes.text(
            shape.x,
            shape.y + shape.size * 0.35,
            shape.text,
            fontsize=shape.size * _POINT * _CONDENSED,
            fontfamily=_FONT,
            fontweight="bold" if shape.bold else "normal",
            color=style.fill,
            zorder=layer,
            ha={"start": "left", "middle": "center", "end": "right"}[shape.anchor],
            va="baseline",
            parse_math=False,
        )


def _add_box(axes: Axes, box: Box, style: Style, layer: int) -> None:
    from matplotlib.patches import FancyBboxPatch

    radius = min(box.radius, box.width / 2, box.height / 2)
    outline = f"round,pad=0,rounding_size={radius}"
    line = _line(style.stroke, style)
    axes.add_patch(
        FancyBboxPatch(
            (box.x, box.y),
            box.width,
            box.height,
            boxstyle=outline,
            facecolor=style.fill,
            **line,
            zorder=layer,
        )
    )


def _add_curve(axes: Axes, curve: Curve, style: Style, layer: int) -> None:
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path as Outline

    points = [curve.start, *(point for piece in curve.pieces for point in piece)]
    codes = [Outline.MOVETO, *([Outline.CURVE4] * (len(points) - 1))]
    axes.add_patch(
        PathPatch(Outline(points, codes), fill=False, **_line(style.fill, style), zorder=layer)
    )
    if curve.arrow:
        x, y = curve.end
        head = [(x, y), (x - ARROW * 0.45, y + ARROW), (x + ARROW * 0.45, y + ARROW)]
        axes.add_patch(
            Polygon(head, closed=True, facecolor=style.fill, edgecolor="none", zorder=layer)
        )


def _line(color: str, style: Style) -> dict[str, Any]:
    return {
        "edgecolor": color,
        "linewidth": style.width * _POINT if color != "none" else 0,
        "linestyle": (0, (4, 3)) if style.dashed else "solid",
    }
